"""End a ticket as its business day is closed: what is queued is voided, what is begun abandoned."""

from serving.application.change_ticket import ChangeTicket, Clock, NewId, change_ticket
from serving.application.tickets import Tickets
from serving.application.void_ticket import while_asked_for
from serving.domain.ticket import Ticket


# decision/0076: a business day is closed by a command
async def end_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Void a ticket that is queued, abandon one that is begun, say of one that is served so.

    Safe to repeat: a request has one effect, and a ticket that has ended stays so; another request
    is answered again. Raises UnknownTicket, CancellationOver, StoreUnavailable.
    """
    decide = while_asked_for(command, Ticket.end)
    # by the verb of the release before, which may have carried the same request out
    await change_ticket(command, "void", decide, tickets=tickets, clock=clock, new_id=new_id)
