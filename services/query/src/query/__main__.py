"""`python -m query`: the service until SIGTERM, or one of its operators' commands."""

from query.cli import app

if __name__ == "__main__":
    app(prog_name="python -m query")
