"""An order's status as guests see it, from what ordering and the kitchen say."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from comanda_contracts.orders import AnyOrderStatus, Order, OrderStatus
from comanda_contracts.tickets import AnyTicketStatus, Ticket, TicketStatus

RoundKey = TypeVar("RoundKey", bound=Hashable)


class GuestStatus(StrEnum):
    """The status of an order as its guests see it."""

    PLACED = "placed"
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    CLOSED = "closed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


DECIDED = frozenset(OrderStatus) - {OrderStatus.OPEN}
"""Statuses that ordering decided: guests see them, whatever the tickets say."""
NONE_BEGUN = frozenset({TicketStatus.QUEUED, TicketStatus.VOIDED})
ALL_SERVED = frozenset({TicketStatus.SERVED, TicketStatus.VOIDED, TicketStatus.ABANDONED})
ALL_READY = ALL_SERVED | {TicketStatus.READY}


def guest_status(order: Order, tickets: Iterable[Ticket]) -> GuestStatus:
    """The status of an order, of which these are the tickets; the newest of each round is wanted.

    What ordering decided wins: `cancelling`, `cancelled`, `closed`. Any other order is as far as
    its rounds that are not voided, by the order or its ticket; one without a ticket is queued:

    - `placed` while the kitchen has begun none;
    - `served` once each of them is served, or abandoned at the end of the day;
    - `ready` once each of them is that or ready;
    - `preparing` else, as when one round is served and another is queued.

    A ticket may be ahead of the order that has its round, and counts. A status of a later version
    is `preparing`.
    """
    return status_of_rounds(
        order.status,
        queued=[each.round for each in order.rounds if not each.voided],
        voided=[each.round for each in order.rounds if each.voided],
        tickets={each.round: each.status for each in tickets},
    )


def status_of_rounds(
    status: AnyOrderStatus,
    *,
    queued: Iterable[RoundKey],
    voided: Collection[RoundKey],
    tickets: Mapping[RoundKey, AnyTicketStatus],
) -> GuestStatus:
    """The same, from the order's status, its rounds that are not voided, those that are, and the
    status of each ticket by its round.
    """
    if status in DECIDED:
        return GuestStatus(status)
    reached = {tickets.get(each, TicketStatus.QUEUED) for each in queued}
    reached |= {each for number, each in tickets.items() if number not in voided}
    if reached <= NONE_BEGUN:
        return GuestStatus.PLACED
    if reached <= ALL_SERVED:
        return GuestStatus.SERVED
    return GuestStatus.READY if reached <= ALL_READY else GuestStatus.PREPARING
