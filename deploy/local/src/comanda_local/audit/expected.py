"""Totals and status of an order by its lines and tickets, computed here independently of query."""

from collections.abc import Mapping

from comanda_contracts import AnyTicketStatus, Order, OrderStatus, Round, Ticket, TicketStatus

Tickets = Mapping[int, Ticket]
"""An order's tickets by their round."""
SERVED = {TicketStatus.SERVED, TicketStatus.ABANDONED}


def round_total(ordered: Round) -> int:
    """Sum of its lines, in minor units."""
    return sum(line.unit_price * line.quantity for line in ordered.lines)


def total(order: Order) -> int:
    """Sum of the rounds that are not voided, in minor units."""
    return sum(round_total(each) for each in order.rounds if not each.voided)


def is_all_served(order: Order, tickets: Tickets) -> bool:
    """Whether every round that is not voided has been served, or abandoned at the day's end."""
    return _statuses(order, tickets) <= SERVED


def expected_status(order: Order, tickets: Tickets) -> str:
    """The status that a guest is shown, from both sides of the kitchen's pass."""
    if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED, OrderStatus.CLOSED):
        return str(order.status)
    made = _statuses(order, tickets) - {TicketStatus.VOIDED}  # of those ordering is yet to hear
    if made <= {TicketStatus.QUEUED}:
        return "placed"
    if made <= SERVED:
        return "served"
    return "ready" if made <= SERVED | {TicketStatus.READY} else "preparing"


def _statuses(order: Order, tickets: Tickets) -> set[AnyTicketStatus]:
    """Those of the rounds that are not voided."""
    return {
        tickets[each.round].status if each.round in tickets else TicketStatus.QUEUED
        for each in order.rounds
        if not each.voided
    }
