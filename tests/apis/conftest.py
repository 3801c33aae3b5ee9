"""The services as real processes on real servers: one stack for all tests of this folder."""

from collections.abc import Iterator

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.stack import Stack


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as environment, temporary_folder() as folder:
        environment.setenv("COMANDA_MIN_VERSION_WAIT", "0.05")  # for versions that never come
        with Stack(folder, environment={}) as stack:
            yield stack
