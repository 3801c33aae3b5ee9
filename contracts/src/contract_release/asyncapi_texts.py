"""The texts and constants of the AsyncAPI document."""

from typing import Any

from comanda_contracts import streams
from comanda_contracts.streams import Stream
from comanda_contracts.subjects import SKU_PATTERN, SLUG_PATTERN

TITLES: dict[Stream, str] = {
    streams.ORDERS: "Orders",
    streams.TICKETS: "Tickets",
    streams.MENU: "Menu",
    streams.RESTAURANTS: "Restaurants",
    streams.ACCESS: "Access",
    streams.ORDERS_ARCHIVE: "OrdersArchive",
    streams.TICKETS_ARCHIVE: "TicketsArchive",
    streams.COMMANDS: "Commands",
}

INFO: dict[str, Any] = {
    "title": "Comanda",
    "description": """\
What happens in the restaurants that use Comanda, for every team that wants to know.

**Every event carries the whole state after it**, and that state's `version`: 1, 2, 3, … per order,
ticket, menu item or restaurant; before a `restated` of a ticket there may be a gap. You need no
history of your own and nobody to ask.

**Read it so:** by the durable pull consumer that is made for your team on each stream; drop what
you have had before by `ce-id`; of one aggregate apply the highest `version` only. Then it does
not matter what comes twice, late or out of order.

**What is past:** orders and tickets are on their streams for a window of days. Beside each stands
its archive, with every message once more: the same sequence, headers and body, on a subject that
names no order. Whoever wants the past reads the archive to its end once, and the stream as ever.

**What stays:** fields are only ever added, and what is added may be missing from older messages.
Ignore fields and event types that you do not know, and expect values of `channel` and of statuses
that you do not know. Anything else would be a `v2` beside this `v1`.

Money is in minor units of the restaurant's currency, times are RFC 3339 in UTC. `send` is what a
service or a till publishes, `receive` what a subscriber or ordering does.
""",
    "tags": [
        {"name": "subscriber", "description": "What a team does that reads events."},
        {"name": "till", "description": "What a till does that speaks no HTTP."},
        {"name": "ordering", "description": "What the service does that owns the orders."},
        {"name": "serving", "description": "What the service does that owns the tickets."},
    ],
}

SERVER: dict[str, Any] = {
    "host": "{host}:{port}",
    "protocol": "nats",
    "description": "NATS with JetStream, from version 2.12 on.",
    "variables": {
        "host": {"default": "localhost", "description": "Differs by installation."},
        "port": {"default": "4222"},
    },
    "security": [{"$ref": "#/components/securitySchemes/user"}],
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "restaurant": {"description": f"Slug of the restaurant: `{SLUG_PATTERN}`."},
    "order_id": {"description": "Id of the order, a UUID in lower case."},
    "round": {"description": "Number of the round in its order: 1, 2, 3, …"},
    "sku": {"description": f"The menu item in its restaurant: `{SKU_PATTERN}`."},
    "subject_hash": {
        "description": "Whose tokens: the SHA-256 of their `sub` in base64url, without `=`."
    },
    "event": {"description": "What happened."},
    "command": {"description": "What is asked for."},
}

CONSUMER: dict[str, Any] = {
    "api_prefix": "$JS.comanda.API",
    "durable_name": "<team>",
    "deliver_policy": "all",
    "ack_policy": "explicit",
    "ack_wait_seconds": 30,
    "max_deliver": -1,
    "max_ack_pending": 1000,
}
"""As the operator makes it; the guide says why."""
