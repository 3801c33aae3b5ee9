"""An order as its guest sees it: without phone numbers, who did what, and why."""

from collections.abc import Mapping
from typing import Any

from query.views.orders.presentation import PUBLIC_ORDER_FIELDS, ROUND_FIELDS

SHOWN_FIELDS = ({*PUBLIC_ORDER_FIELDS} - {"phone"}) | {"order_id", "restaurant", "status"}
SHOWN_ENTRY_FIELDS = ("at", "event", "source", "round", "version")
"""Of an entry of the timeline."""
SHOWN_ROUND_FIELDS = ROUND_FIELDS | {"ticket"}


def redacted(order: Mapping[str, Any]) -> dict[str, Any]:
    """An order as it is presented to others, in the same shape; what he is not shown is null.

    Named is what is shown, so that a new field is not.
    """
    return {
        **{name: value for name, value in order.items() if name in SHOWN_FIELDS},
        "phone": None,
        "rounds": [
            {name: value for name, value in each.items() if name in SHOWN_ROUND_FIELDS}
            for each in order["rounds"]
        ],
        "timeline": [
            {**{name: each[name] for name in SHOWN_ENTRY_FIELDS}, "actor": None, "reason": None}
            for each in order["timeline"]
        ],
    }
