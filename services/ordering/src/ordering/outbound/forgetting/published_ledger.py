"""The ledger of forgotten guests' orders as the streams have it: PostgreSQL may have lost some."""

from comanda_contracts import OrderForgotten, Unreadable, read, subjects
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from service_kit.nats.jetstream import jetstream
from service_kit.nats.past import archived_messages

from ordering.outbound.forgetting.guests import LedgerEntry

FORGOTTEN = "forgotten"


async def published_ledger(client: Client) -> list[LedgerEntry]:
    """What ORDERS and its archive say of guests who were forgotten. Raises nats.errors.Error."""
    js = jetstream(client)
    entries: list[LedgerEntry] = []
    try:
        end = (await js.stream_info(ORDERS_ARCHIVE.name)).state.last_seq
    except NotFoundError:
        end = 0
    past = archived_messages(
        client, ORDERS_ARCHIVE, subjects.archived_order("*", FORGOTTEN), since=None, until=end
    )
    if end:
        entries += [
            each async for message in past for each in _entries(message.headers, message.data)
        ]
    sequence = 0
    while True:
        try:
            message = await js.get_msg(
                ORDERS.name, sequence + 1, subject=subjects.order("*", "*", FORGOTTEN), next=True
            )
        except NotFoundError:
            return entries
        sequence = message.seq or sequence + 1
        entries += _entries(message.headers, message.data or b"")


def _entries(headers: dict[str, str] | None, body: bytes) -> list[LedgerEntry]:
    try:
        event = read(headers, body)
    except Unreadable:
        return []
    if not isinstance(event, OrderForgotten):
        return []
    order = event.order
    return [LedgerEntry(order.order_id, order.restaurant, order.version)]
