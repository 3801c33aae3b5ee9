"""Sales in MongoDB, summed up ahead of the question."""
