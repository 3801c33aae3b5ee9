"""Ordering over HTTP: commands in, the changed state or a refusal out."""
