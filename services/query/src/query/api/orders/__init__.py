"""One order, and lists of orders."""
