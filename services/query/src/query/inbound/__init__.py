"""What comes in: events from the streams, questions over HTTP."""
