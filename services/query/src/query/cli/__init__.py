"""The command line of query: its roles as a service, and what its operators do."""

from query.cli.main import app

__all__ = ["app"]
