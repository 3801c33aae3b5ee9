"""The order views in MongoDB, and questions about many of them."""
