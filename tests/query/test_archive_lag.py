"""An archive that does not take in what is on its stream is told, before that leaves the stream."""

from types import SimpleNamespace
from typing import Any

import pytest
from comanda_contracts.streams import ORDERS_ARCHIVE
from nats.js.errors import NotFoundError
from prometheus_client import REGISTRY
from query.projection.archive_lag import BEHIND_MAX_S, ArchiveLag


class Streams:
    """JetStream with some streams, by their last sequences."""

    def __init__(self, **ends: int) -> None:
        self.ends = ends

    async def stream_info(self, name: str) -> Any:
        if name not in self.ends:
            raise NotFoundError
        return SimpleNamespace(state=SimpleNamespace(last_seq=self.ends[name]))


async def test_an_archive_is_behind_that_lacks_for_a_minute_what_was_stored() -> None:
    js: Any = Streams(ORDERS=5, ORDERS_ARCHIVE=3)
    lag = ArchiveLag([ORDERS_ARCHIVE])

    found = [await lag.check(js, now=now) for now in (0.0, BEHIND_MAX_S - 1, BEHIND_MAX_S)]
    behind = behind_s()
    js.ends["ORDERS_ARCHIVE"] = 5
    caught_up = await lag.check(js, now=BEHIND_MAX_S + 1)

    assert found == [[], [], ["ORDERS_ARCHIVE is at 3, and ORDERS at 5"]]
    assert caught_up == []
    assert (behind, behind_s()) == (BEHIND_MAX_S, 0.0)


async def test_of_an_archive_that_is_not_there_no_age_is_exported() -> None:
    js: Any = Streams(ORDERS=5, ORDERS_ARCHIVE=3)
    lag = ArchiveLag([ORDERS_ARCHIVE])
    await lag.check(js, now=0.0)
    before = behind_s()
    del js.ends["ORDERS_ARCHIVE"]

    await lag.check(js, now=1.0)

    assert (before, behind_s()) == (0.0, None)


def behind_s() -> float | None:
    labels = {"archive": ORDERS_ARCHIVE.name}
    return REGISTRY.get_sample_value("comanda_query_archive_behind_seconds", labels)


async def test_an_archive_that_follows_a_busy_stream_is_never_behind() -> None:
    js: Any = Streams(ORDERS=5, ORDERS_ARCHIVE=3)
    lag = ArchiveLag([ORDERS_ARCHIVE])

    for minute in range(5):
        assert await lag.check(js, now=minute * BEHIND_MAX_S) == []
        js.ends = {"ORDERS": js.ends["ORDERS"] + 5, "ORDERS_ARCHIVE": js.ends["ORDERS"]}


@pytest.mark.parametrize(
    ("ends", "is_told"),
    [
        ({"ORDERS": 2, "ORDERS_ARCHIVE": 3}, True),
        ({"ORDERS": 3, "ORDERS_ARCHIVE": 3}, False),
        ({"ORDERS": 3}, False),
        ({}, False),
    ],
    ids=["of a longer stream", "equal", "no archive", "no stream"],
)
async def test_an_archive_that_goes_further_than_its_stream_is_told_at_once(
    ends: dict[str, int], is_told: bool
) -> None:
    js: Any = Streams(**ends)

    assert bool(await ArchiveLag([ORDERS_ARCHIVE]).check(js, now=0.0)) == is_told
