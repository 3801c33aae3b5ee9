"""A change of a ticket, on every store."""

import asyncio
from datetime import datetime
from uuid import UUID

import pytest
from serving.application.change_ticket import (
    RETRY_PAUSES_S,
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
)
from serving.application.end_ticket import end_ticket
from serving.application.keyed_request import KeyedRequest, KeyReused
from serving.application.mark_ready import mark_ready
from serving.application.recall_ticket import recall_ticket
from serving.application.serve_ticket import serve_ticket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import Overtaken, StoreUnavailable, Tickets
from serving.application.void_ticket import void_ticket
from serving.domain.ticket import (
    RECALL_GRACE,
    Ticket,
    TicketEvent,
    TicketId,
    TicketStatus,
    UnknownTicket,
    VersionMismatch,
    WrongStatus,
)
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, a_ticket, queued
from tests.serving.fakes import InMemoryTickets


async def recall(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> ChangedTicket:
    return await recall_ticket(
        command, tickets=tickets, clock=clock, new_id=new_id, grace=RECALL_GRACE
    )


def clock() -> datetime:
    return LATER


@pytest.fixture
async def ticket(store: Tickets, restaurant: str) -> Ticket:
    """A ticket that is queued in the store."""
    ticket = a_ticket(restaurant=restaurant)
    await store.append(queued(ticket), event_id=uuid7(), after=0)
    return ticket


async def start(store: Tickets, ticket: TicketId, **fields: object) -> Ticket:
    command = ChangeTicket(ticket_id=ticket, **fields)  # type: ignore[arg-type]
    return (await start_ticket(command, tickets=store, clock=clock, new_id=uuid7)).ticket


async def ready(store: Tickets, ticket: TicketId, **fields: object) -> Ticket:
    command = ChangeTicket(ticket_id=ticket, **fields)  # type: ignore[arg-type]
    return (await mark_ready(command, tickets=store, clock=clock, new_id=uuid7)).ticket


async def serve(store: Tickets, ticket: TicketId, **fields: object) -> Ticket:
    command = ChangeTicket(ticket_id=ticket, **fields)  # type: ignore[arg-type]
    return (await serve_ticket(command, tickets=store, clock=clock, new_id=uuid7)).ticket


async def test_a_ticket_goes_the_whole_way(store: Tickets, ticket: Ticket) -> None:
    command = ChangeTicket(ticket_id=ticket.id, actor="Luigi")

    for use_case in (start_ticket, mark_ready, recall, mark_ready, serve_ticket):
        last = (await use_case(command, tickets=store, clock=clock, new_id=uuid7)).ticket

    stored = await store.load(ticket.id)
    assert stored is not None
    assert stored.ticket == last
    assert (last.status, last.version) == (TicketStatus.SERVED, 6)


async def test_of_two_cooks_who_start_at_once_exactly_one_wins(
    store: Tickets, ticket: Ticket
) -> None:
    outcomes = await asyncio.gather(
        *(start(store, ticket.id, actor=cook) for cook in ("Luigi", "Maria")),
        return_exceptions=True,
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, WrongStatus)]
    started = [outcome for outcome in outcomes if isinstance(outcome, Ticket)]
    assert len(refused) == len(started) == 1
    assert refused[0].ticket == started[0]


async def test_an_unknown_ticket_is_refused(store: Tickets, restaurant: str) -> None:
    with pytest.raises(UnknownTicket):
        await start(store, a_ticket(restaurant=restaurant).id)


async def test_a_command_for_an_older_version_is_refused(store: Tickets, ticket: Ticket) -> None:
    await start(store, ticket.id)

    with pytest.raises(VersionMismatch) as refusal:
        await ready(store, ticket.id, expected_version=1)

    assert refusal.value.ticket.version == 2


async def test_a_request_that_is_repeated_with_its_key_has_one_effect(
    store: Tickets, ticket: Ticket
) -> None:
    first = await start(store, ticket.id, request_key="tablet-7/42")

    again = await start(store, ticket.id, request_key="tablet-7/42")

    assert again == first
    assert again.version == 2


async def test_a_request_that_is_sent_twice_at_once_has_one_effect(
    store: Tickets, ticket: Ticket
) -> None:
    outcomes = await asyncio.gather(*(start(store, ticket.id, request_key="k") for _ in range(4)))

    assert {outcome.version for outcome in outcomes} == {2}


async def test_a_request_is_known_again_whatever_has_happened_to_the_ticket_since(
    store: Tickets, ticket: Ticket
) -> None:
    moves = (start_ticket, mark_ready, recall, mark_ready, serve_ticket)
    commands = [
        (move, ChangeTicket(ticket_id=ticket.id, request_key=f"tablet-7/{number}"))
        for number, move in enumerate(moves)
    ]
    first = [
        await move(command, tickets=store, clock=clock, new_id=uuid7) for move, command in commands
    ]

    again = [
        await move(command, tickets=store, clock=clock, new_id=uuid7) for move, command in commands
    ]

    assert again == first
    assert {each.is_repeated for each in first} == {False}
    assert {each.is_repeated for each in again} == {True}
    stored = await store.load(ticket.id)
    assert stored is not None
    assert stored.ticket == first[-1].ticket


async def test_a_request_is_known_again_behind_changes_that_had_no_key(
    store: Tickets, ticket: Ticket
) -> None:
    started = await start(store, ticket.id, request_key="k")
    await ready(store, ticket.id)
    await void_ticket(ChangeTicket(ticket_id=ticket.id), tickets=store, clock=clock, new_id=uuid7)

    assert await start(store, ticket.id, request_key="k") == started


async def test_another_request_is_not_taken_for_a_repetition(
    store: Tickets, ticket: Ticket
) -> None:
    await start(store, ticket.id, request_key="k")

    with pytest.raises(WrongStatus):
        await start(store, ticket.id, request_key="another")


async def test_a_key_names_one_change_of_the_ticket(store: Tickets, ticket: Ticket) -> None:
    await start(store, ticket.id, request_key="k")
    await ready(store, ticket.id, request_key="l")

    with pytest.raises(KeyReused):
        await ready(store, ticket.id, request_key="k")
    with pytest.raises(KeyReused):
        await start(store, ticket.id, request_key="k", expected_version=1)
    with pytest.raises(KeyReused):
        await start(store, ticket.id, request_key="l")


async def test_a_key_is_the_tickets_own(store: Tickets, restaurant: str) -> None:
    for ticket in (a_ticket(restaurant=restaurant), a_ticket(restaurant=restaurant)):
        await store.append(queued(ticket), event_id=uuid7(), after=0)

        assert (await start(store, ticket.id, request_key="k")).version == 2


async def test_a_request_that_was_refused_may_be_tried_again_with_its_key(
    store: Tickets, ticket: Ticket
) -> None:
    with pytest.raises(WrongStatus):
        await serve(store, ticket.id, request_key="k")

    await ready(store, ticket.id)

    assert (await serve(store, ticket.id, request_key="k")).status is TicketStatus.SERVED


async def test_what_the_release_before_made_of_the_end_of_a_day_is_its_one_effect(
    store: Tickets, ticket: Ticket
) -> None:
    """It takes every cancellation for one that voids; its word comes again, to the next release."""
    await start(store, ticket.id)
    command = ChangeTicket(ticket_id=ticket.id, request_key="message/1")

    for use_case in (void_ticket, end_ticket, void_ticket):
        await use_case(command, tickets=store, clock=clock, new_id=uuid7)

    stored = await store.load(ticket.id)
    assert stored is not None
    assert (stored.ticket.status, stored.ticket.version) == (TicketStatus.PREPARING, 3)


class AlwaysOvertaken(InMemoryTickets):
    """A store in which somebody else is always faster."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    async def append(
        self, event: TicketEvent, *, event_id: UUID, after: int, request: KeyedRequest | None = None
    ) -> None:
        if after == 0:
            await super().append(event, event_id=event_id, after=after)
            return
        self.tries += 1
        raise Overtaken


async def test_a_race_that_never_ends_is_given_up() -> None:
    store, ticket = AlwaysOvertaken(), a_ticket()
    await store.append(queued(ticket), event_id=uuid7(), after=0)

    with pytest.raises(StoreUnavailable):
        await start(store, ticket.id)

    assert store.tries == len(RETRY_PAUSES_S)
