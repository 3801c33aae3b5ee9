"""The little that all three services need: settings, logs, health, problems, JetStream, HTTP."""
