"""Tickets in the words of the published contracts, and back; and what is new of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import comanda_contracts as contracts
from pydantic import BaseModel

from serving.domain import ticket as domain

EVENTS: dict[type[domain.TicketEvent], type[contracts.TicketEvent]] = {
    domain.TicketQueued: contracts.TicketQueued,
    domain.TicketStarted: contracts.TicketStarted,
    domain.TicketReady: contracts.TicketReady,
    domain.TicketRecalled: contracts.TicketRecalled,
    domain.TicketServed: contracts.TicketServed,
    domain.TicketVoided: contracts.TicketVoided,
    domain.TicketVoidRefused: contracts.TicketVoidRefused,
}


def published_ticket(ticket: domain.Ticket) -> contracts.Ticket:
    """A ticket as others see it."""
    return contracts.Ticket.model_validate(ticket, from_attributes=True)


def published_event(event: domain.TicketEvent) -> contracts.TicketEvent:
    """An event as others see it."""
    return EVENTS[type(event)](
        ticket=published_ticket(event.ticket), at=event.at, actor=event.actor
    )


def ticket_from(published: contracts.Ticket) -> domain.Ticket:
    """A ticket as it was published."""
    return domain.Ticket(
        restaurant=published.restaurant,
        order_id=published.order_id,
        round=published.round,
        number=published.number,
        channel=domain.Channel(published.channel),
        table=published.table,
        customer=published.customer,
        lines=tuple(
            domain.TicketLine(sku=line.sku, name=line.name, quantity=line.quantity, note=line.note)
            for line in published.lines
        ),
        ordered_at=published.ordered_at,
        version=published.version,
        status=domain.TicketStatus(published.status),
        started_at=published.started_at,
        ready_at=published.ready_at,
        served_at=published.served_at,
    )


class QueueView(BaseModel):
    """What a kitchen has to do, oldest first."""

    tickets: list[contracts.Ticket]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A restaurant's queue as it was at this sequence of the stream."""

    sequence: int
    tickets: Sequence[contracts.Ticket]


@dataclass(frozen=True, slots=True)
class Changed:
    """A ticket as the event at this sequence of the stream left it."""

    sequence: int
    ticket: contracts.Ticket


News = Snapshot | Changed
