"""Projection: batches of events become changes of the views."""
