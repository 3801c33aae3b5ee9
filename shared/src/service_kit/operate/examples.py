"""Examples of the bodies of `/v1/operate`, for the services' documents."""

from typing import Any

from service_kit.http.openapi import Examples
from service_kit.operate.schema import (
    ByNumber,
    ByReason,
    DeadLetterDetails,
    DeadLetters,
    Every,
    LetterOutcomes,
    OperateStatus,
)

UNKNOWN_TYPE = "unknown-type"
LETTER: dict[str, Any] = {
    "number": 42,
    "since": "2026-05-04T19:30:00.000000Z",
    "stream": "ORDERS",
    "sequence": 8117,
    "subject": "orders.v1.la-piazza.01968f6e-3c00-7000-8000-000000000001.delayed",
    "reason": f"{UNKNOWN_TYPE}: comanda.order.delayed.v1",
}
MESSAGE = {"headers": {"ce-type": "comanda.order.delayed.v1"}, "body": '{"order": {}}'}

OPERATE_EXAMPLES: Examples = {
    ByNumber: {"by number": {"numbers": [42, 43], "after": 0}},
    ByReason: {"by reason": {"reason": UNKNOWN_TYPE, "after": 0}},
    Every: {"all, beginning where an answer ended": {"every": True, "after": 43}},
    DeadLetters: {"the last page": {"letters": [LETTER], "next": None}},
    DeadLetterDetails: {"a dead letter": LETTER | MESSAGE},
    LetterOutcomes: {
        "one done, one not": {
            "outcomes": [
                {"number": 42, "is_done": True, "reason": None},
                {"number": 43, "is_done": False, "reason": "it is not there"},
            ],
            "next": None,
        }
    },
    OperateStatus: {
        "degraded": {
            "service": "serving",
            "status": "degraded",
            "components": {"nats": "ready", "orders": "waiting for stream ORDERS"},
            "consumers": [{"stream": "ORDERS", "durable": "serving", "behind": 0, "unsettled": 0}],
            "dead_letters": 1,
        }
    },
}
"""By the model of the body that is sent or answered."""
