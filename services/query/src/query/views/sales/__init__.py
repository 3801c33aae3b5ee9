"""Sales: sums of orders, and their reports."""
