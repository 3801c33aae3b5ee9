"""What the board is made of: its orders, and how the kitchen worked lately."""

from datetime import UTC, datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.read_concern import ReadConcern

from query.storage.generations import Generation
from query.views.board.view import SHOWN, Board, board_of
from query.views.sales.view import MADE

ON_THE_BOARD = {
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
"""What `board_of` reads of an order."""
ONE_STATE = ReadConcern("snapshot")
"""An order that goes on to another status meanwhile is neither missed nor seen twice."""
DAYS = 2
"""Business days that the latest rounds are taken from: a day begins without any."""


async def read_board(generation: Generation, restaurant: str) -> Board:
    """The board as it is now."""
    shown = {"restaurant": restaurant, "status": {"$in": SHOWN}}
    orders = (
        await generation.orders.with_options(read_concern=ONE_STATE)
        .find(shown, ON_THE_BOARD, sort=[("order.placed_at", ASCENDING)])
        .to_list()
    )
    made = await _made(generation, restaurant) if orders else []
    return board_of(orders, made, datetime.now(UTC))


async def _made(generation: Generation, restaurant: str) -> list[list[float]]:
    """The latest rounds, as `Sales.made` has them."""
    days = await generation.sales_days.find(
        {"_id": {"$gte": f"{restaurant}/", "$lte": f"{restaurant}/~"}},
        {"summary.made": 1},
        sort=[("_id", DESCENDING)],
        limit=DAYS,
    ).to_list()
    made = [each for day in days for each in day.get("summary", {}).get("made", ())]
    return sorted(made, reverse=True)[:MADE]
