"""Ordering over NATS: news from the kitchen, and commands of tills that speak no HTTP."""
