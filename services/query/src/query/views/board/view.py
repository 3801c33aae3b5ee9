"""The board: what is being prepared, its place in the queue and an estimate; and what is ready."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from comanda_contracts import TicketStatus

from query.views.board.estimate import PendingRound, PreparedRound, ready_times
from query.views.merge import MALFORMED, AggregateState
from query.views.orders.status import ViewStatus
from query.views.sales.histogram import epoch_seconds

Board = dict[str, list[Any]]
"""Orders that are being `preparing` and those that are `ready`, the oldest first."""

BOARD_STATUSES = (ViewStatus.PLACED, ViewStatus.PREPARING, ViewStatus.READY)
"""The statuses of the orders that are on the board."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNFINISHED_STATUSES = (TicketStatus.QUEUED, TicketStatus.PREPARING)


@dataclass(frozen=True, slots=True)
class _QueuedRound:
    """A round that is not ready, and the id of its order."""

    work: PendingRound
    order_id: str


def board_of(
    orders: Sequence[AggregateState], prepared: Sequence[Sequence[float]], now: datetime
) -> Board:
    """The board of a restaurant.

    `orders` are those on the board, the oldest first, as the store has them; `prepared` are the
    latest rounds as `Sales.preparations` has them; `now` is aware. An order whose document can't be
    read is left out, and its id is in `left_out`, which is there only then.
    """
    try:
        return _board(orders, prepared, now)
    except MALFORMED:
        left_out = [each["_id"] for each in orders if not _is_sound(each)]
        sound = [each for each in orders if each["_id"] not in left_out]
        return {**_board(sound, prepared, now), "left_out": left_out}


def _is_sound(order: AggregateState) -> bool:
    try:
        _board([order], [], EPOCH)
    except MALFORMED:
        return False
    return True


def _board(
    orders: Sequence[AggregateState], prepared: Sequence[Sequence[float]], now: datetime
) -> Board:
    line = sorted(
        (each for order in orders for each in _unfinished(order)),
        key=lambda each: (each.work.ordered_at, each.order_id),
    )
    positions, estimates = _positions(line), _estimates(line, prepared, now.timestamp())
    preparing = [each for each in orders if each["status"] != ViewStatus.READY]
    ready = [each for each in orders if each["status"] == ViewStatus.READY]
    return {
        "preparing": [
            {
                **_order(each),
                "status": each["status"],
                "position": positions.get(each["_id"]),
                "estimated_ready_at": estimates.get(each["_id"]),
            }
            for each in preparing
        ],
        "ready": [{**_order(each), "ready_at": _ready_at(each)} for each in ready],
    }


def _order(document: AggregateState) -> dict[str, Any]:
    order = document["order"]
    return {
        "order_id": document["_id"],
        "number": order["number"],
        "channel": order["channel"],
        "table": order.get("table"),
        "placed_at": order["placed_at"],
    }


def _unfinished(document: AggregateState) -> Iterable[_QueuedRound]:
    """The rounds of an order that the kitchen has still to make, whether it has a ticket or not."""
    tickets = document.get("tickets", {})
    for each in document["order"]["rounds"]:
        ticket = tickets.get(str(each["round"]), {"status": TicketStatus.QUEUED})
        if not each.get("voided") and ticket["status"] in UNFINISHED_STATUSES:
            begun = ticket["status"] == TicketStatus.PREPARING
            started_at = (
                epoch_seconds(ticket["started_at"]) if begun and ticket.get("started_at") else None
            )
            yield _QueuedRound(
                PendingRound(epoch_seconds(each["ordered_at"]), started_at), document["_id"]
            )


def _positions(line: Sequence[_QueuedRound]) -> dict[str, int]:
    """By order that waits: the number of rounds to be begun until its last one is, it included."""
    waiting = [each.order_id for each in line if each.work.started_at is None]
    return {order_id: place for place, order_id in enumerate(waiting, start=1)}


def _estimates(
    line: Sequence[_QueuedRound], prepared: Sequence[Sequence[float]], now: float
) -> dict[str, datetime]:
    """By order: the time at which the last of its rounds will be ready."""
    times = ready_times(
        [each.work for each in line], [PreparedRound(*each) for each in prepared], now
    )
    last: dict[str, float] = {}
    for each, ready_at in zip(line, times or (), strict=False):
        last[each.order_id] = max(ready_at, last.get(each.order_id, ready_at))
    return {order_id: _to_the_millisecond(at) for order_id, at in last.items()}


def _ready_at(document: AggregateState) -> str | None:
    """The time at which the last of its rounds was ready."""
    times = [ticket.get("ready_at") for ticket in document.get("tickets", {}).values()]
    return max(filter(None, times), key=epoch_seconds, default=None)


def _to_the_millisecond(at: float) -> datetime:
    return datetime.fromtimestamp(round(at, 3), UTC)
