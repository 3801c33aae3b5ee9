"""Whether ordering and serving agree with each other, once nothing is on its way any more."""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from comanda_contracts import Channel, Order, OrderStatus, Round, Ticket, TicketStatus

from comanda_local.audit.expected import Tickets, is_all_served, total

GRACE_VARIABLE, RECALL_GRACE_S = "COMANDA_RECALL_GRACE_SECONDS", 900
"""The setting of ordering and serving, and its default."""
CLOSING_DELAY = timedelta(seconds=30)
"""A margin of ordering's own, and the time until it looks."""

Disagreement = tuple[str, object, object]
"""The subject, ordering's value, and serving's value or the one that ordering should have."""


def disagreements(order: Order, tickets: Tickets) -> Iterator[Disagreement]:
    """Values on which ordering and serving disagree, and those ordering should have updated."""
    if order.total != total(order):
        yield "total as stored", order.total, total(order)
    rounds = {each.round: each for each in order.rounds}
    for number in sorted(rounds.keys() | tickets.keys()):
        yield from _wrong_ticket(number, rounds.get(number), tickets.get(number))
    yield from _wrong_status(order, tickets)


def _wrong_ticket(
    number: int, ordered: Round | None, ticket: Ticket | None
) -> Iterator[Disagreement]:
    about = f"kitchen.{number}"
    if ordered is None or ticket is None:
        yield about, ordered and "a round", ticket and str(ticket.status)
        return
    if ordered.voided != (ticket.status is TicketStatus.VOIDED):
        yield f"{about}.voided", ordered.voided, str(ticket.status)
    wanted = [(line.sku, line.name, line.quantity, line.note) for line in ordered.lines]
    made = [(line.sku, line.name, line.quantity, line.note) for line in ticket.lines]
    if wanted != made:
        yield f"{about}.lines", wanted, made


def _wrong_status(order: Order, tickets: Tickets) -> Iterator[Disagreement]:
    served = is_all_served(order, tickets)
    if order.status is OrderStatus.CANCELLING:
        yield "status as stored", "cancelling", "cancelled or open"
    if order.status is OrderStatus.CLOSED and not served:
        yield "status as stored", "closed", "open, for not everything is served"
    is_over = served and not may_be_recalled(tickets.values(), now=datetime.now(UTC))
    if order.status is OrderStatus.OPEN and order.channel is Channel.TAKEAWAY and is_over:
        yield "status as stored", "open", "closed, for everything is served"


def may_be_recalled(tickets: Iterable[Ticket], *, now: datetime) -> bool:
    """Whether one was served so lately that ordering waits for it to be recalled.

    When a ticket was served that was restated is not known to anybody but ordering.
    """
    grace = timedelta(seconds=float(os.environ.get(GRACE_VARIABLE, RECALL_GRACE_S)))
    if not grace:
        return False
    served = [each for each in tickets if each.status is TicketStatus.SERVED]
    if any(each.served_at is None for each in served):
        return True
    times = [each.served_at for each in tickets if each.served_at]
    return bool(times) and now < max(times) + grace + CLOSING_DELAY
