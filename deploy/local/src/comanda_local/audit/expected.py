"""Totals and status of an order by its lines and tickets, computed here independently of query."""

from collections.abc import Mapping

from comanda_contracts import AnyTicketStatus, Order, OrderStatus, Round, Ticket, TicketStatus

Tickets = Mapping[int, Ticket]
"""An order's tickets by their round."""


def round_total(ordered: Round) -> int:
    """Sum of its lines, in minor units."""
    return sum(line.unit_price * line.quantity for line in ordered.lines)


def total(order: Order) -> int:
    """Sum of the rounds that are not voided, in minor units."""
    return sum(round_total(each) for each in order.rounds if not each.voided)


def is_all_served(order: Order, tickets: Tickets) -> bool:
    """Whether every round that is not voided has been served."""
    return not _statuses_to_serve(order, tickets)


def expected_status(order: Order, tickets: Tickets) -> str:
    """The status that a guest is shown, from both sides of the kitchen's pass."""
    if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED, OrderStatus.CLOSED):
        return str(order.status)
    waiting = _statuses_to_serve(order, tickets)
    if not waiting:
        return "served"
    if waiting == {TicketStatus.READY}:
        return "ready"
    if waiting & {TicketStatus.PREPARING, TicketStatus.READY}:
        return "preparing"
    if waiting <= {TicketStatus.QUEUED, TicketStatus.VOIDED}:  # voided, and ordering is yet to hear
        return "placed"
    return "preparing"  # by a status of a later release


def _statuses_to_serve(order: Order, tickets: Tickets) -> set[AnyTicketStatus]:
    statuses = (
        tickets[each.round].status if each.round in tickets else TicketStatus.QUEUED
        for each in order.rounds
        if not each.voided
    )
    return {status for status in statuses if status is not TicketStatus.SERVED}
