"""The use cases on a store in memory: what they record, for which version, and what is unknown."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_order import CloseOrder, close_order
from ordering.application.keyed_request import KeyReused
from ordering.application.list_menu import list_menu
from ordering.application.place_order import PlaceOrder, place_order
from ordering.application.set_availability import SetAvailability, set_availability
from ordering.application.set_menu_item import SetMenuItem, set_menu_item
from ordering.application.set_restaurant import SetRestaurant, set_restaurant
from ordering.application.take_verdict import TakeVerdict, take_verdict
from ordering.application.transaction import Transaction
from ordering.application.withdraw_menu_item import WithdrawMenuItem, withdraw_menu_item
from ordering.domain.order import (
    CancellationRequested,
    KitchenVerdict,
    Order,
    OrderCancelled,
    OrderClosed,
)
from ordering.domain.refusals import (
    Refusal,
    UnknownMenuItem,
    UnknownOrder,
    UnknownRestaurant,
    VersionMismatch,
)

from tests.ordering.builders import (
    ADA,
    TABLE_12,
    a_place_order,
    a_requested_line,
    a_restaurant,
    an_item,
)
from tests.ordering.fakes import InMemoryStore
from tests.ordering.use_cases import (
    NO_GRACE,
    adding,
    cancelling,
    open_la_piazza,
    placing,
    taking_verdict,
)

LATER = datetime(2026, 5, 4, 13, 30, tzinfo=UTC)

Command = Callable[..., Callable[[Transaction], Awaitable[Any]]]


def ordering_more(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = AddItems(requested_lines=(a_requested_line(),), **of, **fields)
    return lambda tx: add_items(command, transaction=tx, at=LATER)


def cancelling_one_round(
    of: dict[str, Any], **fields: Any
) -> Callable[[Transaction], Awaitable[Any]]:
    command = CancelOrder(rounds=frozenset({2}), reason="twice", **of, **fields)
    return lambda tx: cancel_order(command, transaction=tx, at=LATER)


def closing_it(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = CloseOrder(**of, **fields)
    return lambda tx: close_order(command, transaction=tx, at=LATER)


def running_out(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = SetAvailability(available=False, reason="sold out", **of, **fields)
    return lambda tx: set_availability(command, transaction=tx, at=LATER)


def withdrawing_it(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = WithdrawMenuItem(reason="out of season", **of, **fields)
    return lambda tx: withdraw_menu_item(command, transaction=tx, at=LATER)


def pricing(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = SetMenuItem(wanted=an_item(price=990, **of), **fields)
    return lambda tx: set_menu_item(command, transaction=tx, at=LATER)


def renaming(of: dict[str, Any], **fields: Any) -> Callable[[Transaction], Awaitable[Any]]:
    command = SetRestaurant(wanted=a_restaurant(name="La Piazzetta", **of), **fields)
    return lambda tx: set_restaurant(command, transaction=tx, at=LATER)


async def an_order_of_two_rounds(store: InMemoryStore) -> Order:
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    return await store.run(adding(order.order_id))


async def a_served_order(store: InMemoryStore) -> Order:
    order = await an_order_of_two_rounds(store)
    await store.run(taking_verdict(order.order_id, 1))
    return await store.run(taking_verdict(order.order_id, 2))


async def of_an_order(store: InMemoryStore) -> tuple[dict[str, Any], int]:
    order = await an_order_of_two_rounds(store)
    return {"order_id": order.order_id, "restaurant": "la-piazza"}, order.version


async def of_a_served_order(store: InMemoryStore) -> tuple[dict[str, Any], int]:
    order = await a_served_order(store)
    return {"order_id": order.order_id, "restaurant": "la-piazza"}, order.version


async def of_an_item(store: InMemoryStore) -> tuple[dict[str, Any], int]:
    return {"restaurant": "la-piazza", "sku": "margherita"}, 1


async def of_the_restaurant(store: InMemoryStore) -> tuple[dict[str, Any], int]:
    return {"slug": "la-piazza"}, 1


CHANGES: dict[str, tuple[Command, Callable[[InMemoryStore], Awaitable[Any]], dict[str, Any]]] = {
    "add items": (ordering_more, of_an_order, {"round": 3}),
    "cancel": (cancelling_one_round, of_an_order, {}),
    "close": (closing_it, of_a_served_order, {}),
    "run out": (running_out, of_an_item, {"reason": "sold out"}),
    "withdraw": (withdrawing_it, of_an_item, {"reason": "out of season"}),
    "set item": (pricing, of_an_item, {"reason": None}),
    "set restaurant": (renaming, of_the_restaurant, {}),
}
"""By use case: its command, what it changes, and what the event says beside the state."""


@pytest.fixture
async def la_piazza() -> InMemoryStore:
    """Open, with two items on its menu."""
    store = InMemoryStore()
    await open_la_piazza(store)
    return store


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_recorded_with_the_state_after_it_the_time_and_the_actor(
    la_piazza: InMemoryStore, change: str
) -> None:
    command, prepare, said = CHANGES[change]
    of, version = await prepare(la_piazza)
    before = len(la_piazza.events)

    state = await la_piazza.run(command(of, expected_version=version, actor="Gina"))

    [event] = la_piazza.events[before:]
    told = [getattr(event, name, None) for name in ("order", "item", "restaurant")]
    assert state in told
    assert state.version == version + 1
    assert (event.at, event.actor) == (LATER, "Gina")
    assert {name: getattr(event, name) for name in said} == said


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_that_is_meant_for_another_version_is_refused_and_records_nothing(
    la_piazza: InMemoryStore, change: str
) -> None:
    command, prepare, _ = CHANGES[change]
    of, version = await prepare(la_piazza)
    before = list(la_piazza.events)

    for other in (version - 1, version + 1):
        with pytest.raises(VersionMismatch, match=f"at version {version}, not {other}"):
            await la_piazza.run(command(of, expected_version=other))

    assert la_piazza.events == before


@pytest.mark.parametrize("change", ["run out", "withdraw", "set item", "set restaurant"])
async def test_a_change_that_is_so_already_changes_nothing(
    la_piazza: InMemoryStore, change: str
) -> None:
    command, prepare, _ = CHANGES[change]
    of, _ = await prepare(la_piazza)
    once = await la_piazza.run(command(of))
    before = list(la_piazza.events)

    again = await la_piazza.run(command(of))

    assert again == once
    assert la_piazza.events == before


@pytest.mark.parametrize("available", [False, True])
async def test_an_item_is_to_be_had_or_not_as_it_was_told(
    la_piazza: InMemoryStore, available: bool
) -> None:
    command = SetAvailability(restaurant="la-piazza", sku="cola", available=available)

    item = await la_piazza.run(lambda tx: set_availability(command, transaction=tx, at=LATER))

    assert item.available is available


async def test_a_cancellation_is_asked_for_with_its_rounds_and_its_reason(
    la_piazza: InMemoryStore,
) -> None:
    of, _ = await of_an_order(la_piazza)

    order = await la_piazza.run(cancelling_one_round(of, actor="Gina"))

    assert order.cancellation is not None
    assert (order.cancellation.rounds, order.cancellation.reason) == ((2,), "twice")
    assert (order.cancellation.actor, order.cancellation.requested_at) == ("Gina", LATER)
    assert isinstance(la_piazza.events[-1], CancellationRequested)


async def test_an_order_is_placed_at_its_time_by_its_actor(la_piazza: InMemoryStore) -> None:
    command = PlaceOrder(
        order_id=uuid.uuid4(),
        restaurant="la-piazza",
        party=ADA,
        requested_lines=(a_requested_line(),),
        actor="Gino",
    )

    order = await la_piazza.run(lambda tx: place_order(command, transaction=tx, at=LATER))

    event = la_piazza.events[-1]
    assert (order.order_id, order.party, order.placed_at) == (command.order_id, ADA, LATER)
    assert (getattr(event, "order", None), event.at, event.actor) == (order, LATER, "Gino")


def voiding(order: Order, number: int) -> Callable[[Transaction], Awaitable[Order]]:
    command = TakeVerdict(
        order_id=order.order_id,
        restaurant="la-piazza",
        round=number,
        verdict=KitchenVerdict.VOIDED,
    )
    return lambda tx: take_verdict(command, transaction=tx, at=LATER, recall_grace=NO_GRACE)


async def test_the_last_verdict_ends_the_cancellation_when_it_comes(
    la_piazza: InMemoryStore,
) -> None:
    order = await an_order_of_two_rounds(la_piazza)
    await la_piazza.run(cancelling(order.order_id))
    before = len(la_piazza.events)

    for number in (1, 2, 1):
        cancelled = await la_piazza.run(voiding(order, number))

    assert la_piazza.events[before:] == [
        OrderCancelled(order=cancelled, at=LATER, actor=None, reason="the guests left")
    ]


async def test_a_verdict_that_ends_a_cancellation_and_leaves_nothing_to_do_closes_the_order_too(
    la_piazza: InMemoryStore,
) -> None:
    order = await la_piazza.run(placing(a_place_order(party=ADA)))
    await la_piazza.run(adding(order.order_id))
    await la_piazza.run(cancelling(order.order_id, 2))
    await la_piazza.run(taking_verdict(order.order_id, 1))
    before = len(la_piazza.events)

    closed = await la_piazza.run(voiding(order, 2))

    ended, last = la_piazza.events[before:]
    assert (type(ended).__name__, ended.at) == ("ItemsCancelled", LATER)
    assert last == OrderClosed(order=closed, at=LATER, actor=None)


NOBODYS: dict[str, tuple[Command, dict[str, Any], type[Refusal], str]] = {
    "add items": (ordering_more, {"restaurant": "la-piazza"}, UnknownOrder, "{order_id}"),
    "cancel": (cancelling_one_round, {"restaurant": "la-piazza"}, UnknownOrder, "{order_id}"),
    "close": (closing_it, {"restaurant": "la-piazza"}, UnknownOrder, "{order_id}"),
    "run out": (running_out, {"restaurant": "la-piazza", "sku": "tea"}, UnknownMenuItem, "'tea'"),
    "withdraw": (
        withdrawing_it,
        {"restaurant": "la-piazza", "sku": "tea"},
        UnknownMenuItem,
        "'tea'",
    ),
    "set item": (pricing, {"restaurant": "nowhere"}, UnknownRestaurant, "'nowhere'"),
}


@pytest.mark.parametrize("change", NOBODYS)
async def test_what_nobody_knows_is_named_and_not_changed(
    la_piazza: InMemoryStore, change: str
) -> None:
    command, of, refusal, named = NOBODYS[change]
    order_id = uuid.uuid4()
    before = list(la_piazza.events)
    if refusal is UnknownOrder:
        of = of | {"order_id": order_id}

    with pytest.raises(refusal, match=named.format(order_id=order_id)):
        await la_piazza.run(command(of))

    assert la_piazza.events == before


async def test_a_verdict_on_an_order_that_nobody_knows_names_it(la_piazza: InMemoryStore) -> None:
    order_id = uuid.uuid4()

    with pytest.raises(UnknownOrder, match=str(order_id)):
        await la_piazza.run(taking_verdict(order_id, 1))


async def test_nothing_is_ordered_or_listed_at_a_restaurant_that_nobody_knows() -> None:
    store = InMemoryStore()

    with pytest.raises(UnknownRestaurant, match="'nowhere'"):
        await store.run(placing(a_place_order("nowhere")))
    with pytest.raises(UnknownRestaurant, match="'nowhere'"):
        await list_menu("nowhere", menus=store)


def test_a_key_that_is_used_again_is_refused_in_words() -> None:
    assert str(KeyReused()) == "The key was used for another request; give each its own."
