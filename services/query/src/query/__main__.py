"""`python -m query`: the service until SIGTERM, or one of its operators' commands."""

from service_kit.runtime.imports import uncollected

with uncollected():
    from query.cli import app

if __name__ == "__main__":
    app(prog_name="python -m query")
