"""The HTTP API: every question about orders, and its answer."""
