"""Takes orders and decides on every change to them."""
