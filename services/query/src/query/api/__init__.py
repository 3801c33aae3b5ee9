"""The HTTP API: answers every question about orders."""
