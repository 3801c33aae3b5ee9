"""The indexes that orders are found by.

Each costs every write of an order something, so there are few. `SEARCH_INDEX` holds everything that
an order is found by and that does not change, as terms (`views/orders/search_terms.py`); its other
keys give the order of a list.
"""

from pymongo import ASCENDING, IndexModel

SEARCH_INDEX = IndexModel(
    [
        ("restaurant", ASCENDING),
        ("order.found_by", ASCENDING),
        ("order.placed_at", ASCENDING),
        ("_id", ASCENDING),
    ]
)
STATUS_INDEX = IndexModel(
    [
        ("restaurant", ASCENDING),
        ("status", ASCENDING),
        ("order.placed_at", ASCENDING),
        ("_id", ASCENDING),
    ]
)
TOTAL_INDEX = IndexModel(
    [("restaurant", ASCENDING), ("order.total", ASCENDING), ("_id", ASCENDING)]
)

FORGOTTEN_INDEX = IndexModel(
    [("_id", ASCENDING), ("restaurant", ASCENDING)],
    partialFilterExpression={"forgotten": {"$exists": True}},
)
"""Of the few orders whose guests are forgotten: after each merge it is asked which they are."""

ORDER_INDEXES = [SEARCH_INDEX, STATUS_INDEX, TOTAL_INDEX, FORGOTTEN_INDEX]
