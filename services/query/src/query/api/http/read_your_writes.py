"""Reading one's own write in answers that are made of many orders: `?after=`."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import StringConstraints

from query.api.http.openapi import ORDER_ID
from query.api.http.parameters import Slug
from query.api.http.responses import all_behind, asked
from query.views.ports import Arrivals, Lists

MOST_AFTER = 20
"""Orders that one answer can wait for."""

AN_ORDER_AT_A_VERSION = (
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[1-9][0-9]{0,15}$"
)

After = Annotated[
    list[Annotated[str, StringConstraints(pattern=AN_ORDER_AT_A_VERSION)]],
    Query(
        max_length=MOST_AFTER,
        description="`<order_id>:<version>`, may be repeated: wait, for some seconds, "
        "until the views have this version of that order",
        examples=[[f"{ORDER_ID}:2"]],
    ),
]


class CaughtUp:
    """A dependency of routes: the answer waits until the views have what the client wrote.

    After `within` seconds it is refused with 503, which names the orders that are behind.
    """

    def __init__(self, lists: Lists, arrivals: Arrivals, *, within: float) -> None:
        self._lists = lists
        self._arrivals = arrivals
        self._within = within

    async def __call__(self, restaurant: Slug, after: After = []) -> None:  # noqa: B006 - FastAPI copies it
        """Wait for each of the orders; one of another restaurant is not there."""
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
        """The version of the order that the view has in the end; 0 if it has none."""
        look = partial(self._lists.version, restaurant, order_id)
        enough = partial(_at_least, wanted)
        return await asked(self._arrivals.look_until(order_id, look, enough, self._within))


def _wanted(after: Sequence[str]) -> dict[str, int]:
    """The highest version that is asked for of each order."""
    pairs = (each.split(":") for each in after)
    return dict(sorted((order_id, int(version)) for order_id, version in pairs))


def _at_least(wanted: int, version: int) -> bool:
    return version >= wanted
