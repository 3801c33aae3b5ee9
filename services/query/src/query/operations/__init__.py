"""What operators do while the service runs: rebuild, compare, audit, mend, replay."""
