"""JetStream: connections, streams, consumers, dead letters."""
