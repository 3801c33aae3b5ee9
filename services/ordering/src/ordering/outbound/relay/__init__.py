"""The relay: from the outbox to the streams, in order."""
