"""The use cases of serving, one a file."""
