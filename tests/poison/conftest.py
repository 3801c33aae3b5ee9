"""One running system for all poison."""

import shutil
from collections.abc import Iterator

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.stack import Stack
from comanda_local.tills import write_till

from tests.poison.corpus import NOBODYS, RESTAURANT


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The system with a till more for each restaurant that poison is sent to."""
    with temporary_folder() as folder, pytest.MonkeyPatch.context() as patch:
        accounts = shutil.copytree(ACCOUNTS.parent, folder / "accounts") / ACCOUNTS.name
        for restaurant in (RESTAURANT, NOBODYS):
            write_till(restaurant, "1", accounts.parent)
        patch.setattr("comanda_local.stack.ACCOUNTS", accounts)
        with Stack(folder, environment={}) as stack:
            yield stack
