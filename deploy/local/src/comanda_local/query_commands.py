"""The operators' commands of query, run against the running system."""

import subprocess
from collections.abc import Mapping, Sequence

from comanda_local.processes import CannotStart
from comanda_local.services import command, environment
from comanda_local.stack import MONGODB_URL, NATS_URL
from comanda_local.system_urls import SystemUrls

HELP_OPTION = "--help"


def run_query(system: SystemUrls, arguments: Sequence[str]) -> int:
    """Run `python -m query` with these arguments, on our terminal. Returns its exit code.

    Raises CannotStart if it is not known where the store of the views is.
    """
    if not system.mongodb:
        raise CannotStart(f"Where is the store of the views? Set {MONGODB_URL}.")
    return _run(arguments, {NATS_URL: system.nats, MONGODB_URL: system.mongodb})


def show_help(arguments: Sequence[str]) -> int:
    """Print the help of `python -m query` on these arguments; nothing need be running."""
    return _run(arguments, {})


def _run(arguments: Sequence[str], urls: Mapping[str, str]) -> int:
    process = subprocess.run(command("query", *arguments), env=environment(urls), check=False)
    return process.returncode
