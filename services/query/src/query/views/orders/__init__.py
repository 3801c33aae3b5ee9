"""One order as the query side shows it, and lists of them."""
