"""Sales in MongoDB, summed up before anybody asks."""
