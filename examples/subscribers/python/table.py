"""Keeps a table of all orders, right whatever is killed. Run: `python table.py`."""

import asyncio
import os
import sqlite3

import nats
from comanda_contracts import OrderEvent, UnknownType, Unreadable, read
from login import SERVER, login
from nats.aio.msg import Msg

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
    orders = await jetstream.pull_subscribe_bind(os.environ.get("TEAM", "table"), "ORDERS")
    while True:
        try:
            messages = await orders.fetch(100, timeout=5)
        except TimeoutError:  # nothing came
            continue
        with table:  # one transaction
            for message in messages:
                keep(message, table)
        for message in messages:  # only once they are stored
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
