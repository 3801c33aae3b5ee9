"""The ways into serving: commands over HTTP, events of orders over NATS."""
