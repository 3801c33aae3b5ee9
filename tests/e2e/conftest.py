"""The three services as real processes on real servers: one stack for all tests of this folder."""

from collections.abc import Iterator

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack
        log = (stack.folder / "nats" / "log").read_text()
        assert "Violation" not in log, "a service was forbidden what it needs"


@pytest.fixture
def restaurant(stack: Stack) -> Restaurant:
    return Restaurant(stack)
