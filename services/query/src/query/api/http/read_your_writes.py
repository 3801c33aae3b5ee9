"""Reading one's own write in answers that are made of many orders: `?after=`."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import StringConstraints

from query.api.http.openapi import ORDER_ID
from query.api.http.parameters import Slug
from query.api.http.responses import all_behind, from_store
from query.views.ports import Lists, VersionWaiter

AFTER_ORDERS_MAX = 20
"""Orders that one answer can wait for."""

ORDER_AT_VERSION_PATTERN = (
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[1-9][0-9]{0,15}$"
)

After = Annotated[
    list[Annotated[str, StringConstraints(pattern=ORDER_AT_VERSION_PATTERN)]],
    Query(
        max_length=AFTER_ORDERS_MAX,
        description="`<order_id>:<version>`, may be repeated: wait, for some seconds, "
        "until the views have this version of that order",
        examples=[[f"{ORDER_ID}:2"]],
    ),
]


class ReadYourWrites:
    """A dependency of routes: waits until the views have what the client wrote.

    After `timeout_s` the request is refused with 503, which names the orders that are behind.
    """

    def __init__(self, lists: Lists, waiter: VersionWaiter, *, timeout_s: float) -> None:
        self._lists = lists
        self._waiter = waiter
        self._timeout_s = timeout_s

    async def __call__(self, restaurant: Slug, after: After = []) -> None:  # noqa: B006 - FastAPI copies it
        """Wait for each of the orders; one of another restaurant counts as unknown."""
        wanted = _wanted(after)
        waits = (self._version(restaurant, each, version) for each, version in wanted.items())
        versions = await asyncio.gather(*waits)
        missing: list[dict[str, Any]] = [
            {"order_id": order_id, "version": version, "wanted": wanted[order_id]}
            for order_id, version in zip(wanted, versions, strict=True)
            if version < wanted[order_id]
        ]
        if missing:
            raise all_behind(missing)

    async def _version(self, restaurant: str, order_id: str, wanted: int) -> int:
        """The version that the view has once it is enough or the wait is over; 0 if it has none."""
        read = partial(self._lists.version, restaurant, order_id)
        is_enough = partial(_at_least, wanted)
        wait = self._waiter.read_until(restaurant, order_id, read, is_enough, self._timeout_s)
        return await from_store(wait)


def _wanted(after: Sequence[str]) -> dict[str, int]:
    """The highest version that is asked for of each order."""
    pairs = (each.split(":") for each in after)
    return dict(sorted((order_id, int(version)) for order_id, version in pairs))


def _at_least(wanted: int, version: int) -> bool:
    return version >= wanted
