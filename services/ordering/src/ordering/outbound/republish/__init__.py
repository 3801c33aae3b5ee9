"""Publishing the present state again, after the streams have lost it."""
