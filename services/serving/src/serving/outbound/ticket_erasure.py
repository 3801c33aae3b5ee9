"""Erases what TICKETS and its archive have of tickets from before they were forgotten."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from comanda_contracts import Order, Unreadable, read, subjects
from comanda_contracts import TicketForgotten as PublishedForgotten
from comanda_contracts.streams import TICKETS
from nats.aio.client import Client
from service_kit.nats.erasure import (
    Scope,
    StoredMessage,
    erase,
    erase_letters,
    mentions,
    messages_before,
)
from service_kit.nats.jetstream import jetstream

from serving.contract import ticket_from_contract
from serving.domain.ticket import Ticket
from serving.outbound.open_tickets import read_ticket


# decision/0077: a guest is forgotten
class TicketErasure:
    """Knows and erases the past of an order's tickets; `client` gives the connection to use."""

    def __init__(self, service: str, client: Callable[[], Awaitable[Client]]) -> None:
        """The `service` names its dead letters."""
        self._service = service
        self._client = client

    async def past_tickets(self, order: Order) -> Mapping[int, Ticket]:
        """The order's tickets as their last messages have them, by round, of the archive, too.

        Raises nats.errors.Error.
        """
        client = await self._client()
        return {
            each.round: each
            for each in map(_ticket, await _messages(client, order))
            if each is not None
        }

    async def erase(self, order: Order) -> None:
        """Erase what came before the order's tickets were forgotten, and what was set aside of it.

        Safe to repeat. Raises nats.errors.Error.
        """
        client = await self._client()
        order_id = str(order.order_id)
        await erase_letters(client, self._service, lambda each: mentions(each, order_id))
        await erase(client, TICKETS, _before_forgotten(await _messages(client, order)))


async def _messages(client: Client, order: Order) -> list[StoredMessage]:
    """All of the order's tickets that are stored by now, the oldest first."""
    end = (await jetstream(client).stream_info(TICKETS.name)).state.last_seq
    scope = Scope(
        TICKETS,
        subjects.ticket(order.restaurant, order.order_id, "*", "*"),
        subjects.archived_ticket(order.restaurant, "*"),
        str(order.order_id),
        order.placed_at,
    )
    return await messages_before(client, scope, end + 1)


def _before_forgotten(messages: Sequence[StoredMessage]) -> list[StoredMessage]:
    """Those of each ticket that came before it was last forgotten.

    What can't be read goes with what the order has before its last ticket was forgotten.
    """
    forgotten = {
        ticket.round: each.sequence
        for each in messages
        if (ticket := _ticket(each)) and _is_forgotten(each)
    }
    last = max(forgotten.values(), default=0)

    def is_before(each: StoredMessage) -> bool:
        ticket = _ticket(each)
        return each.sequence < (last if ticket is None else forgotten.get(ticket.round, 0))

    return [each for each in messages if is_before(each)]


def _is_forgotten(message: StoredMessage) -> bool:
    try:
        return isinstance(read(message.headers, message.body), PublishedForgotten)
    except Unreadable:
        return False


def _ticket(message: StoredMessage) -> Ticket | None:
    try:
        return ticket_from_contract(read_ticket(message.headers, message.body))
    except Unreadable:
        return None
