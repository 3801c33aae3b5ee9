"""Serving over NATS."""
