"""HTTP: the server, health, problems, lanes ahead of the framework, live feeds."""
