"""The promises of the port `Tickets`, kept by every store."""

from uuid import uuid4

import pytest
from serving.application.keyed_request import KeyedRequest
from serving.application.tickets import NewTicket, Overtaken, Tickets
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, a_ticket, queued


async def test_an_unknown_ticket_is_none(store: Tickets, restaurant: str) -> None:
    assert await store.load(a_ticket(restaurant=restaurant).id) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"table": "12", "guests": 4, "round": 3},
        {"channel": "takeaway", "table": None, "customer": "Ada"},
        {"version": 4, "started_at": LATER, "ready_at": LATER, "served_at": LATER},
    ],
)
async def test_a_ticket_comes_back_as_it_was_stored(
    store: Tickets, restaurant: str, fields: dict[str, object]
) -> None:
    ticket, event_id = a_ticket(restaurant=restaurant, **fields), uuid7()

    await store.append(queued(ticket), event_id=event_id, after=0)

    stored = await store.load(ticket.id)
    assert stored is not None
    assert (stored.ticket, stored.event_id) == (ticket, event_id)


async def test_the_last_event_stored_is_the_ticket(store: Tickets, restaurant: str) -> None:
    ticket = a_ticket(restaurant=restaurant)
    started = ticket.start(at=LATER)
    await store.append(queued(ticket), event_id=uuid7(), after=0)
    first = await store.load(ticket.id)
    assert first is not None

    await store.append(started, event_id=uuid7(), after=first.sequence)

    second = await store.load(ticket.id)
    assert second is not None
    assert second.ticket == started.ticket
    assert second.sequence > first.sequence


@pytest.mark.parametrize("order_version", [None, 7])
async def test_an_event_keeps_the_request_that_led_to_it(
    store: Tickets, restaurant: str, order_version: int | None
) -> None:
    ticket = a_ticket(restaurant=restaurant)
    request = KeyedRequest.of("k", "void", None, order_version)

    await store.append(ticket.void(at=LATER), event_id=uuid7(), after=0, request=request)

    stored = await store.load(ticket.id)
    assert stored is not None
    assert stored.request == request
    assert stored.request.order_version == order_version


async def test_a_change_decided_on_an_older_ticket_is_overtaken(
    store: Tickets, restaurant: str
) -> None:
    ticket = a_ticket(restaurant=restaurant)
    await store.append(queued(ticket), event_id=uuid7(), after=0)
    first = await store.load(ticket.id)
    assert first is not None
    await store.append(ticket.start(at=LATER), event_id=uuid7(), after=first.sequence)

    with pytest.raises(Overtaken):
        await store.append(ticket.start(at=LATER), event_id=uuid7(), after=first.sequence)


async def test_an_append_that_is_repeated_because_nobody_knew_its_outcome_is_done_once(
    store: Tickets, restaurant: str
) -> None:
    ticket, event_id = a_ticket(restaurant=restaurant), uuid7()
    await store.append(queued(ticket), event_id=uuid7(), after=0)
    first = await store.load(ticket.id)
    assert first is not None
    started = ticket.start(at=LATER)
    await store.append(started, event_id=event_id, after=first.sequence)
    once = await store.load(ticket.id)

    await store.append(started, event_id=event_id, after=first.sequence)

    assert await store.load(ticket.id) == once


async def test_rounds_orders_and_restaurants_do_not_mix(store: Tickets, restaurant: str) -> None:
    ticket = a_ticket(restaurant=restaurant, round=1)
    others = [
        a_ticket(restaurant=restaurant, order_id=ticket.order_id, round=11),
        a_ticket(restaurant=restaurant, order_id=uuid4()),
        a_ticket(restaurant=f"{restaurant}-2", order_id=ticket.order_id),
    ]

    for each in [ticket, *others]:
        await store.append(queued(each), event_id=uuid7(), after=0)

    for each in [ticket, *others]:
        stored = await store.load(each.id)
        assert stored is not None
        assert stored.ticket == each


async def test_many_tickets_are_added_at_once_and_those_that_exist_stay_as_they_are(
    store: Tickets, restaurant: str
) -> None:
    old = a_ticket(restaurant=restaurant)
    await store.append(queued(old), event_id=uuid7(), after=0)
    before = await store.load(old.id)
    new = [a_ticket(restaurant=restaurant, round=number) for number in range(1, 6)]
    batch = [NewTicket(queued(ticket), uuid7()) for ticket in [*new, old, new[0]]]

    failures = await store.add(batch)

    assert failures == [None] * 7
    assert await store.load(old.id) == before
    for each in new:
        stored = await store.load(each.id)
        assert stored is not None
        assert stored.ticket == each
