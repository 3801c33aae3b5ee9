"""The status of an order as MongoDB derives it: `views/orders/status.py` as an expression.

The store has to derive it, because only the store has both the order and its tickets when either
is written. A property test proves that both agree. Each update carries the expression and the
server parses it each time, so every operator counts: counting rounds instead of comparing sets cost
a fifth of the write throughput.
"""

from collections.abc import Iterable
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from comanda_contracts import TicketStatus
from comanda_contracts.guest_status import ALL_READY, ALL_SERVED, DECIDED, NONE_BEGUN

from query.views.orders.status import ViewStatus

Expression = dict[str, Any]

_ROUNDS: Expression = {"$mergeObjects": ["$order.assumed", "$tickets", "$order.overruled"]}

_REACHED: Expression = {
    "$map": {"input": {"$objectToArray": _ROUNDS}, "in": "$$this.v.status"},
}


def _if_all(statuses: Iterable[TicketStatus], then: ViewStatus) -> Expression:
    return {"case": {"$setIsSubset": ["$$reached", sorted(statuses)]}, "then": then}


_PROGRESS: Expression = {
    "$let": {
        "vars": {"reached": _REACHED},
        "in": {
            "$switch": {
                "branches": [
                    _if_all(NONE_BEGUN, ViewStatus.PLACED),
                    _if_all(ALL_SERVED, ViewStatus.SERVED),
                    _if_all(ALL_READY, ViewStatus.READY),
                ],
                "default": ViewStatus.PREPARING,
            }
        },
    }
}

_IS_UNKNOWN: Expression = {"$lt": ["$order.status", ""]}
"""What is not there, and null, are less than any text."""

_STATUS: Expression = {
    "$switch": {
        "branches": [
            {"case": {"$in": ["$order.status", sorted(DECIDED)]}, "then": "$order.status"},
            {"case": _IS_UNKNOWN, "then": None},
        ],
        "default": _PROGRESS,
    }
}

SET_STATUS_STAGE = RawBSONDocument(bson.encode({"$set": {"status": _STATUS}}))
"""The stage after a merge; encoded once, because it goes with each document of a batch."""
