"""Changes of orders, from the store's change stream to those who wait for them or watch."""
