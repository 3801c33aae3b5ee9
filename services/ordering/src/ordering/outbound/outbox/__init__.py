"""The outbox: events in the transaction that makes them true."""
