"""The views' store: MongoDB."""
