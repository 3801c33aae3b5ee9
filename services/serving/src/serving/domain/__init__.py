"""Tickets and the rules of their changes: pure."""
