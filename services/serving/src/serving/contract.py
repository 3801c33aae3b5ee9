"""The mapping between serving's domain and the published contracts, in both directions."""

import comanda_contracts as contracts

from serving.domain import ticket as domain

EVENT_MODELS: dict[type[domain.TicketEvent], type[contracts.TicketEvent]] = {
    domain.TicketQueued: contracts.TicketQueued,
    domain.TicketStarted: contracts.TicketStarted,
    domain.TicketReady: contracts.TicketReady,
    domain.TicketRecalled: contracts.TicketRecalled,
    domain.TicketServed: contracts.TicketServed,
    domain.TicketVoided: contracts.TicketVoided,
    domain.TicketVoidRefused: contracts.TicketVoidRefused,
    domain.TicketAbandoned: contracts.TicketAbandoned,
    domain.TicketRestated: contracts.TicketRestated,
    domain.TicketForgotten: contracts.TicketForgotten,
}


def ticket_to_contract(ticket: domain.Ticket) -> contracts.Ticket:
    """The published model of a ticket."""
    return contracts.Ticket.model_validate(ticket, from_attributes=True)


def event_to_contract(event: domain.TicketEvent) -> contracts.TicketEvent:
    """The published model of an event."""
    return EVENT_MODELS[type(event)](
        ticket=ticket_to_contract(event.ticket),
        at=event.at,
        actor=event.actor,
        by=_sender_to_contract(event.by),
    )


def _sender_to_contract(sender: domain.Sender | None) -> contracts.Sender | None:
    if sender is None:
        return None
    return contracts.Sender(subject=sender.subject, role=sender.role, device=sender.device)


def sender_from_contract(published: contracts.Sender | None) -> domain.Sender | None:
    """The sender that a published model describes, if there is one."""
    if published is None:
        return None
    return domain.Sender(subject=published.subject, role=published.role, device=published.device)


def ticket_from_contract(published: contracts.Ticket) -> domain.Ticket:
    """The ticket that a published model describes."""
    return domain.Ticket(
        restaurant=published.restaurant,
        order_id=published.order_id,
        round=published.round,
        number=published.number,
        channel=str(published.channel),
        table=published.table,
        guests=published.guests,
        customer=published.customer,
        lines=tuple(
            domain.TicketLine(sku=line.sku, name=line.name, quantity=line.quantity, note=line.note)
            for line in published.lines
        ),
        ordered_at=published.ordered_at,
        version=published.version,
        status=_status(published.status),
        started_at=published.started_at,
        ready_at=published.ready_at,
        served_at=published.served_at,
    )


def _status(published: contracts.AnyTicketStatus) -> domain.TicketStatus | str:
    """The domain's own status; the text of one that a later release has added."""
    try:
        return domain.TicketStatus(published)
    except ValueError:
        return published
