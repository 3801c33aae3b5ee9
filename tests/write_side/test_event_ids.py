"""Events of different tickets have different ids, for the stream drops a second copy of an id."""

import uuid
from dataclasses import replace
from uuid import UUID

from serving.application.change_ticket import ChangeTicket
from serving.application.tickets import NewTicket
from serving.application.void_ticket import void_ticket
from serving.domain.ticket import TicketEvent
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, queued
from tests.serving.fakes import InMemoryTickets


class RecordingTickets(InMemoryTickets):
    """Remembers the ids that events were to be stored under."""

    def __init__(self) -> None:
        super().__init__()
        self.event_ids: list[UUID] = []

    async def append(self, event: TicketEvent, *, event_id: UUID, after: int) -> None:
        self.event_ids.append(event_id)
        await super().append(event, event_id=event_id, after=after)


async def test_two_rounds_voided_by_one_request_in_one_millisecond_are_two_events() -> None:
    tickets, moment = RecordingTickets(), uuid7()
    first = a_ticket()
    for ticket in (first, replace(first, round=2)):
        await tickets.add([NewTicket(queued(ticket), uuid.uuid4())])
        command = ChangeTicket(ticket_id=ticket.id, request_key="the cancellation")
        await void_ticket(command, tickets=tickets, clock=lambda: NOON, new_id=lambda: moment)

    assert len(set(tickets.event_ids)) == len(tickets.event_ids) == 4
