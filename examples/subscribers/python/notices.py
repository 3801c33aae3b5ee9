"""What this subscriber knows of orders and tickets, and whom it has told: one SQLite file.

Events may come twice, late or out of order: of each order and each ticket only the newest version
is kept, so that does not matter.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from comanda_contracts import Channel, Event, Order, OrderStatus, Ticket, TicketStatus

WORTH_TELLING = timedelta(hours=1)
"""Whoever's order was ready longer ago, as on the first run over an old stream, is not told."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, version INTEGER NOT NULL, state TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tickets (
    order_id TEXT, round INTEGER, version INTEGER NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (order_id, round)
);
CREATE TABLE IF NOT EXISTS notices (
    order_id TEXT PRIMARY KEY,
    ready_at TEXT NOT NULL,
    outcome TEXT -- 'told' or 'too late'; NULL until one of them is so
);
CREATE TABLE IF NOT EXISTS aside (
    stream TEXT, sequence INTEGER, why TEXT NOT NULL, PRIMARY KEY (stream, sequence)
);
"""
ORDER = """
INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (order_id)
DO UPDATE SET version = excluded.version, state = excluded.state WHERE excluded.version > version
"""
TICKET = """
INSERT INTO tickets VALUES (?, ?, ?, ?) ON CONFLICT (order_id, round)
DO UPDATE SET version = excluded.version, state = excluded.state WHERE excluded.version > version
"""
UNSETTLED = """
SELECT orders.state, ready_at FROM notices JOIN orders USING (order_id) WHERE outcome IS NULL
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """A customer who waits for an order that is ready."""

    order: Order
    ready_at: datetime

    def is_too_late(self, now: datetime) -> bool:
        return now - self.ready_at > WORTH_TELLING


class Notices:
    """The file. What `apply` has returned from is kept, whatever happens then."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(SCHEMA)

    def apply(self, event: Event) -> None:
        """Take in an event; note that its order's customer is to be told, if so it is now."""
        state = event.state
        with self._db:  # one transaction
            if isinstance(state, Order):
                of = str(state.order_id)
                self._db.execute(ORDER, (of, state.version, state.model_dump_json()))
            elif isinstance(state, Ticket):
                of = str(state.order_id)
                row = (of, state.round, state.version, state.model_dump_json())
                self._db.execute(TICKET, row)
            else:
                return
            self._db.execute("DELETE FROM notices WHERE order_id = ? AND outcome IS NULL", (of,))
            ready_at = self._ready_at(of)
            if ready_at is not None:
                noted = (of, ready_at.isoformat())
                self._db.execute("INSERT OR IGNORE INTO notices VALUES (?, ?, NULL)", noted)

    def put_aside(self, stream: str, sequence: int, why: str) -> None:
        """Remember where a message is that can't be read."""
        with self._db:
            row = (stream, sequence, why)
            self._db.execute("INSERT OR IGNORE INTO aside VALUES (?, ?, ?)", row)

    def unsettled(self) -> list[Notice]:
        """Whom to tell."""
        rows = self._db.execute(UNSETTLED)
        return [
            Notice(Order.model_validate_json(state), datetime.fromisoformat(ready_at))
            for state, ready_at in rows
        ]

    def settle(self, notice: Notice, outcome: str) -> None:
        """Remember what became of a notice."""
        with self._db:
            row = (outcome, str(notice.order.order_id))
            self._db.execute("UPDATE notices SET outcome = ? WHERE order_id = ?", row)

    def _ready_at(self, order_id: str) -> datetime | None:
        order = self._db.execute("SELECT state FROM orders WHERE order_id = ?", (order_id,))
        tickets = self._db.execute("SELECT state FROM tickets WHERE order_id = ?", (order_id,))
        for (state,) in order:
            return ready_at(
                Order.model_validate_json(state),
                [Ticket.model_validate_json(ticket) for (ticket,) in tickets],
            )
        return None


def ready_at(order: Order, tickets: Iterable[Ticket]) -> datetime | None:
    """When a takeaway order became ready as a whole; None if it is not, or is cancelled."""
    if order.channel is not Channel.TAKEAWAY or order.status is OrderStatus.CANCELLED:
        return None
    done = {
        ticket.round: ticket.ready_at
        for ticket in tickets
        if ticket.status in (TicketStatus.READY, TicketStatus.SERVED)
    }
    times = [done.get(each.round) for each in order.rounds if not each.voided]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None
