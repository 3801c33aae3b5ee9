"""What an operator does beside the running service: rebuild, audit, repair, dead letters."""
