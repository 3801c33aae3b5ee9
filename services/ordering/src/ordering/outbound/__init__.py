"""Ordering's state in PostgreSQL, and its events on their way to the streams."""
