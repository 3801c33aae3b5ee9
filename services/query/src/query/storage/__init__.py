"""The views in MongoDB."""
