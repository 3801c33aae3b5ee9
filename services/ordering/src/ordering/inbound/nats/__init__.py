"""Ordering over NATS: verdicts of the kitchen, and commands of tills that speak no HTTP."""
