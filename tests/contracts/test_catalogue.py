"""The catalogue of events: what it says can follow is what the services' domains let happen."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import comanda_contracts
import pytest
from comanda_contracts.examples import EXAMPLES
from contract_release import moves
from contract_release.catalogue import MOVES, RESTATED, catalogue
from contract_release.moves import Move, following
from ordering.domain import order as orders
from ordering.domain.refusals import Refusal
from serving.domain import ticket as tickets

from tests.ordering.builders import NOON, TABLE_12, a_line, a_restaurant
from tests.serving.builders import LATER, a_ticket
from tests.support.contract import current

SETTLED = (
    tickets.TicketStatus.SERVED,
    tickets.TicketStatus.VOIDED,
    tickets.TicketStatus.ABANDONED,
)


def forget(ticket: tickets.Ticket) -> tickets.TicketEvent:
    """Of an order that is over; ordering lets no other guest be forgotten."""
    if ticket.status not in SETTLED:
        raise tickets.WrongStatus(ticket, "forget")
    return ticket.forget(at=LATER)


TICKET_COMMANDS: tuple[Callable[[tickets.Ticket], tickets.TicketEvent], ...] = (
    lambda ticket: ticket.start(at=LATER),
    lambda ticket: ticket.ready(at=LATER),
    lambda ticket: ticket.recall(at=LATER),
    lambda ticket: ticket.serve(at=LATER),
    lambda ticket: ticket.void(at=LATER),
    lambda ticket: ticket.end(at=LATER),
    forget,
)
STEPS_MAX = 6


def name_of(event: object) -> str:
    """What an event of a domain is called where it is published."""
    published: str = getattr(comanda_contracts, type(event).__name__).TYPE
    return published.split(".")[-2]


def test_what_may_happen_to_a_ticket_is_what_serving_lets_happen() -> None:
    found = {Move(moves.NOTHING, "queued", "queued")}
    for status in tickets.TicketStatus:
        for command in TICKET_COMMANDS:
            with contextlib.suppress(tickets.Refusal):
                event = command(a_ticket(status=status, served_at=LATER))
                found.add(Move(status, name_of(event), str(event.ticket.status)))

    assert found == set(moves.TICKET)


def test_what_may_happen_to_an_order_is_what_ordering_lets_happen() -> None:
    placed = orders.place(
        order_id=uuid.uuid4(),
        restaurant=a_restaurant(),
        sequence=1,
        party=TABLE_12,
        lines=(a_line(),),
        at=NOON,
        actor=None,
    )
    found = {Move(moves.NOTHING, name_of(placed), placed.order.status)}
    reached = [placed.order]
    for _ in range(STEPS_MAX):
        following_orders = []
        for order in reached:
            for event in events_of(order):
                move = Move(order.status, name_of(event), event.order.status)
                if move not in found or len(event.order.rounds) <= 2:
                    following_orders.append(event.order)
                found.add(move)
        reached = distinct(following_orders)

    assert found == set(moves.ORDER)


def events_of(order: orders.Order) -> Iterator[orders.OrderEvent]:
    """What may be next, whatever the kitchen says of each round."""
    why: dict[str, Any] = {"at": NOON, "actor": None}
    commands: list[Callable[[orders.Order], orders.OrderEvent | None]] = [
        lambda order: order.add_items((a_line(),), **why) if len(order.rounds) < 2 else None,
        lambda order: order.cancel(None, reason="left", **why),
        lambda order: order.cancel([1], reason="left", **why),
        lambda order: order.end(reason="end of the day", **why),
        lambda order: order.close(**why),
        lambda order: order.forget(**why),
        lambda order: order.end_cancellation(at=NOON),
    ]
    verdicts: list[orders.KitchenVerdict | None] = [None, *orders.KitchenVerdict]
    for first in verdicts:
        for second in verdicts:
            told = order
            for number, verdict in ((1, first), (2, second)):
                if verdict is not None:
                    told = told.take_verdict(number, verdict)
            for command in commands:
                with contextlib.suppress(Refusal):
                    if event := command(told):
                        yield event


def distinct(reached: list[orders.Order]) -> list[orders.Order]:
    """One of each that decides alike."""
    alike = {
        (
            each.status,
            tuple(r.voided for r in each.rounds),
            str(each.verdicts),
            each.cancellation and each.cancellation.closes,
        ): each
        for each in reached
    }
    return list(alike.values())


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)
def test_the_catalogue_has_each_event_and_what_can_follow_it(event: Any) -> None:
    page = catalogue(current())
    _, _, entry = page.partition(f"### `{event.TYPE}`\n")
    aggregate = MOVES[event.TYPE.split(".")[1]]

    assert event.subject in entry
    assert event.name == RESTATED or any(move.event == event.name for move in aggregate)
    for name in following(aggregate, event.name):
        assert f"`{name}`" in entry.split("[Schema]")[0]
