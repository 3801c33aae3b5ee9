"""The stream TICKETS: the store of tickets, and the queues kept up to date from it."""
