"""Every event of the contract has a view that it is merged into."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock

import pytest
from comanda_contracts import (
    AccessEvent,
    Event,
    MenuEvent,
    OrderEvent,
    RestaurantEvent,
    TicketEvent,
)
from comanda_contracts.reading import EVENTS
from query.projection.apply import apply_batch
from query.views.ports import Stores
from service_kit.nats.subscriber import Received

from tests.query.builders import NOON, a_restaurant, an_order, its_ticket, offered, opened


class MergeLog:
    """A store of each kind, which notes what it is given."""

    def __init__(self) -> None:
        self.merged: list[object] = []

    async def merge(self, views: Sequence[object]) -> None:
        self.merged += views

    merge_items = merge_restaurants = merge


def stores_of(log: Any) -> Stores:
    return Stores(log, log, log)


def an_event(kind: type[Event]) -> Event:
    """One of this type, as far as a view looks at it."""
    if issubclass(kind, OrderEvent):
        return kind.model_construct(
            order=an_order(), at=NOON, reason="ill", round=1, refused=(), voided=()
        )
    if issubclass(kind, TicketEvent):
        return kind.model_construct(ticket=its_ticket(an_order()), at=NOON)
    if issubclass(kind, MenuEvent):
        return kind.model_construct(item=offered(a_restaurant(), "tea").item, at=NOON)
    assert issubclass(kind, RestaurantEvent)
    return kind.model_construct(restaurant=opened(a_restaurant()).restaurant, at=NOON)


SHOWN = {name: kind for name, kind in EVENTS.items() if not issubclass(kind, AccessEvent)}
"""Events of the streams that query projects."""


@pytest.mark.parametrize("kind", SHOWN.values(), ids=SHOWN.keys())
async def test_each_event_is_merged_into_one_view(kind: type[Event]) -> None:
    log = MergeLog()

    await apply_batch([Received(an_event(kind), Mock())], stores_of(log))

    assert len(log.merged) == 1


async def test_an_event_that_no_view_is_made_from_is_no_silent_success() -> None:
    class Unheard(Event):
        pass

    with pytest.raises(TypeError, match="Unheard"):
        await apply_batch(
            [Received(Unheard.model_construct(at=NOON), Mock())], stores_of(MergeLog())
        )
