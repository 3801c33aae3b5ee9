"""One running system for all poison."""

from collections.abc import Iterator

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.stack import Stack


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack
