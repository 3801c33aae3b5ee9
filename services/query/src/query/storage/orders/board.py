"""Reads the board: its orders, and the kitchen's latest preparation times."""

from datetime import UTC, datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.read_concern import ReadConcern

from query.storage.client import LIST_TIME_MS_MAX
from query.storage.generations import Generation
from query.views.board.view import BOARD_STATUSES, Board, board_of
from query.views.sales.view import PREPARATION_SAMPLES_MAX

BOARD_FIELDS = {
    "status": 1,
    "order": {
        "number": 1,
        "channel": 1,
        "table": 1,
        "placed_at": 1,
        "rounds": {"round": 1, "voided": 1, "ordered_at": 1},
    },
    "tickets": 1,
}
"""The fields of an order that `board_of` uses."""
SAMPLE_DAYS = 2
"""Business days that the latest rounds are taken from: a day begins without any."""


async def read_board(generation: Generation, restaurant: str, snapshot: ReadConcern) -> Board:
    """The board as it is in the snapshot: an order is neither missed in it nor seen twice."""
    shown = {"restaurant": restaurant, "status": {"$in": BOARD_STATUSES}}
    orders = (
        await generation.orders.with_options(read_concern=snapshot)
        .find(
            shown,
            BOARD_FIELDS,
            sort=[("order.placed_at", ASCENDING)],
            max_time_ms=LIST_TIME_MS_MAX,
        )
        .to_list()
    )
    preparations = await _latest_preparations(generation, restaurant) if orders else []
    return board_of(orders, preparations, datetime.now(UTC))


async def _latest_preparations(generation: Generation, restaurant: str) -> list[list[float]]:
    """The latest rounds, as `Sales.preparations` has them."""
    days = await generation.sales_days.find(
        {"_id": {"$gte": f"{restaurant}/", "$lte": f"{restaurant}/~"}},
        {"summary.made": 1},
        sort=[("_id", DESCENDING)],
        limit=SAMPLE_DAYS,
    ).to_list()
    preparations = [each for day in days for each in day.get("summary", {}).get("made", ())]
    return sorted(preparations, reverse=True)[:PREPARATION_SAMPLES_MAX]
