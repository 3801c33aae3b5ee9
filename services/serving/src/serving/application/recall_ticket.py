"""A round goes back: from the pass to the kitchen, or from the guest to the pass."""

from datetime import timedelta
from functools import partial

from serving.application.change_ticket import (
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def recall_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId, grace: timedelta
) -> ChangedTicket:
    """Recall a ticket that is ready, or that was served no longer ago than the grace.

    Raises UnknownTicket, VersionMismatch, WrongStatus, TooLateToRecall, StoreUnavailable.
    """
    decide = partial(Ticket.recall, grace=grace)
    return await change_ticket(
        command, "recall", decide, tickets=tickets, clock=clock, new_id=new_id
    )
