"""The indexes that orders are found by.

Each costs every write of an order something, so there are few: `FOUND` holds all that an order is
found by and that does not change, as terms (`views/orders/search_terms.py`). Its other keys give
its order.
"""

from pymongo import ASCENDING, IndexModel

FOUND = IndexModel(
    [
        ("restaurant", ASCENDING),
        ("order.found_by", ASCENDING),
        ("order.placed_at", ASCENDING),
        ("_id", ASCENDING),
    ]
)
STATUS = IndexModel(
    [
        ("restaurant", ASCENDING),
        ("status", ASCENDING),
        ("order.placed_at", ASCENDING),
        ("_id", ASCENDING),
    ]
)
TOTAL = IndexModel([("restaurant", ASCENDING), ("order.total", ASCENDING), ("_id", ASCENDING)])

OF_ORDERS = [FOUND, STATUS, TOTAL]
