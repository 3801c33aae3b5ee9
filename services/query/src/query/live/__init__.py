"""What changes, as it changes: from the store's change stream to those who wait or watch."""
