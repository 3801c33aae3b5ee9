"""Shared by all routes: parameters, responses, cursors, caching, documentation."""
