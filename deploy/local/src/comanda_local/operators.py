"""The operators' commands of query, run against the running system."""

import subprocess
from collections.abc import Sequence

from comanda_local.processes import CannotStart
from comanda_local.running import Running
from comanda_local.services import command, environment
from comanda_local.stack import MONGODB_URL, NATS_URL


def run_query(running: Running, arguments: Sequence[str]) -> int:
    """Run `python -m query` with these arguments, on our terminal. Returns its exit code.

    Raises CannotStart if it is not known where the store of the views is.
    """
    if not running.mongodb:
        raise CannotStart(f"Where is the store of the views? Set {MONGODB_URL}.")
    urls = {NATS_URL: running.nats, MONGODB_URL: running.mongodb}
    process = subprocess.run(command("query", *arguments), env=environment(urls), check=False)
    return process.returncode
