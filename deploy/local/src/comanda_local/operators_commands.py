"""The operators' commands of the services, run against the running system."""

import subprocess
from collections import ChainMap
from collections.abc import Mapping, Sequence

from comanda_local.processes import CannotStart
from comanda_local.server_files import files_beside
from comanda_local.services import command, environment
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL
from comanda_local.system_urls import SystemUrls

HELP_OPTION = "--help"

SUMMARIES = {
    "ordering": "Operate ordering: dead-letters, parked, republish, forget (each with --help).",
    "serving": "Operate serving: dead-letters (or dead-letters --help).",
    "query": "Operate the read side: rebuild, rollback, generations, audit, dead-letters.",
}


def run_command(service: str, system: SystemUrls, arguments: Sequence[str]) -> int:
    """Run `python -m <service>` with these arguments, on our terminal. Returns its exit code.

    Raises CannotStart without arguments, which would start the service, and if it is not known
    where its store is.
    """
    if not arguments:
        raise CannotStart(SUMMARIES[service])
    stores = {
        "ordering": {DATABASE_URL: system.database},
        "serving": {},
        "query": {MONGODB_URL: system.mongodb},
    }[service]
    for variable, url in stores.items():
        if not url:
            raise CannotStart(f"Where is the store of {service}? Set {variable}.")
    urls = {NATS_URL: system.nats, **stores}
    files = [files_beside(variable, system.files) for variable in urls]
    return _run(service, arguments, dict(ChainMap(urls, *files)))


def show_help(service: str, arguments: Sequence[str]) -> int:
    """Print the help of `python -m <service>` on these arguments; nothing need be running."""
    return _run(service, arguments, {})


def _run(service: str, arguments: Sequence[str], urls: Mapping[str, str]) -> int:
    process = subprocess.run(command(service, *arguments), env=environment(urls), check=False)
    return process.returncode
