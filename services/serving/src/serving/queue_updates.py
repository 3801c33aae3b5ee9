"""The updates that the live feed of a restaurant's queue is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import comanda_contracts as contracts


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """A restaurant's whole queue, as it was at this sequence of the stream."""

    sequence: int
    tickets: Sequence[contracts.Ticket]


@dataclass(frozen=True)
class TicketChange:
    """A ticket, as the event at this sequence of the stream left it."""

    sequence: int
    ticket: contracts.Ticket

    @cached_property
    def json(self) -> bytes:
        """The ticket as JSON, made once for all its readers."""
        return self.ticket.model_dump_json().encode()


QueueUpdate = QueueSnapshot | TicketChange
