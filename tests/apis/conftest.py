"""The services as real processes, which tests share, and of query a replica that waits less."""

from collections.abc import Iterator, Mapping

import pytest
from comanda_local.services import Service
from comanda_local.stack import Stack


@pytest.fixture(scope="package")
def services(stack: Stack) -> Iterator[Mapping[str, Service]]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COMANDA_MIN_VERSION_WAIT", "0.05")  # for versions that never come
        query = stack.replica("query")
    yield {**stack.services, "query": query}
    query.stop()
