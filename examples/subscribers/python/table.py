"""Keeps a table of all orders, right whatever is killed. Run: `python table.py`."""

import asyncio
import contextlib
import os
import sqlite3

import nats
from comanda_contracts import OrderEvent, UnknownType, Unreadable, read
from login import SERVER, login
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, version INTEGER, number TEXT, status TEXT, total INTEGER);
CREATE TABLE IF NOT EXISTS aside (stream TEXT, sequence INTEGER UNIQUE, why TEXT);
"""
KEEP = """
INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE
SET version = excluded.version, status = excluded.status, total = excluded.total
WHERE excluded.version > version
"""


async def main() -> None:
    """Run until killed, or until our consumer is gone: whoever runs us starts us again."""
    table = sqlite3.connect(os.environ.get("RECORD", "orders.sqlite"))
    table.executescript(TABLES)
    client = await nats.connect(SERVER, max_reconnect_attempts=-1, **login())
    jetstream = client.jetstream(prefix="$JS.comanda.API")
    team = os.environ.get("TEAM", "table")
    past = await jetstream.pull_subscribe_bind(team, "ORDERS_ARCHIVE")
    while is_behind(await past.consumer_info()):
        await take(past, table)
    orders = await jetstream.pull_subscribe_bind(team, "ORDERS")
    while True:
        await take(orders, table)


def is_behind(consumer: ConsumerInfo) -> bool:
    """Whether messages wait, or were given to us, perhaps before a crash, and not acknowledged."""
    return bool(consumer.num_pending or consumer.num_ack_pending)


async def take(messages: JetStreamContext.PullSubscription, table: sqlite3.Connection) -> None:
    """Keep what comes within five seconds, and acknowledge it once it is stored."""
    with contextlib.suppress(TimeoutError):  # nothing came
        batch = await messages.fetch(100, timeout=5)
        with table:  # one transaction
            for message in batch:
                keep(message, table)
        for message in batch:
            await message.ack()


def keep(message: Msg, table: sqlite3.Connection) -> None:
    """Keep the order if it is newer; put aside what can't be read, skip what is not known."""
    try:
        event = read(message.headers, message.data)
    except UnknownType:
        return
    except Unreadable as why:
        at = message.metadata
        place = (at.stream, at.sequence.stream, str(why))
        table.execute("INSERT OR IGNORE INTO aside VALUES (?, ?, ?)", place)
        return
    if isinstance(event, OrderEvent):
        order = event.order
        row = (str(order.order_id), order.version, order.number, order.status, order.total)
        table.execute(KEEP, row)


if __name__ == "__main__":
    asyncio.run(main())
