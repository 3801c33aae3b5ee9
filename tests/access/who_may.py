"""Who may what, written down once: a role that does not stand here is refused."""

from service_kit.access.roles import Role

TILL, KITCHEN, MANAGER = Role.TILL, Role.KITCHEN, Role.MANAGER
BOARD, READER, OPERATOR = Role.BOARD, Role.READER, Role.OPERATOR

Row = tuple[str, str, str]
"""The service, the method and the path below a restaurant's."""

HERE = "/v1/restaurants/{restaurant}"
AN_ORDER, A_ROUND, AN_ITEM = (
    "/orders/{order_id}",
    "/orders/{order_id}/rounds/{round}",
    "/menu/{sku}",
)

ORDER_TAKERS = {TILL, MANAGER}
ORDER_READERS = {TILL, MANAGER, READER}
BOARD_READERS = {TILL, BOARD, MANAGER}
COOKS = {KITCHEN, MANAGER}

WHO_MAY: dict[Row, set[Role]] = {
    ("ordering", "PUT", ""): {MANAGER, OPERATOR},
    ("ordering", "GET", ""): {MANAGER, OPERATOR},
    ("ordering", "GET", "/menu"): {TILL, KITCHEN, MANAGER, BOARD, OPERATOR},
    ("ordering", "PUT", AN_ITEM): {MANAGER},
    ("ordering", "DELETE", AN_ITEM): {MANAGER},
    ("ordering", "POST", f"{AN_ITEM}/available"): COOKS,
    ("ordering", "POST", f"{AN_ITEM}/unavailable"): COOKS,
    ("ordering", "POST", "/orders"): ORDER_TAKERS,
    ("ordering", "GET", AN_ORDER): ORDER_READERS,
    ("ordering", "POST", f"{AN_ORDER}/rounds"): ORDER_TAKERS,
    ("ordering", "POST", f"{AN_ORDER}/close"): ORDER_TAKERS,
    ("ordering", "POST", f"{AN_ORDER}/cancel"): ORDER_TAKERS,
    ("ordering", "POST", "/day/close"): {MANAGER},
    ("ordering", "POST", f"{AN_ORDER}/forget"): {MANAGER},
    ("ordering", "POST", "/access/{subject}/withdraw"): {MANAGER, OPERATOR},
    ("serving", "GET", "/queue"): COOKS,
    ("serving", "GET", "/queue/live"): COOKS,
    ("serving", "GET", A_ROUND): COOKS,
    ("serving", "POST", f"{A_ROUND}/start"): COOKS,
    ("serving", "POST", f"{A_ROUND}/ready"): COOKS,
    ("serving", "POST", f"{A_ROUND}/recall"): COOKS,
    ("serving", "POST", f"{A_ROUND}/serve"): COOKS,
    ("query", "GET", "/orders"): ORDER_READERS,
    ("query", "GET", "/orders/live"): ORDER_READERS,
    ("query", "GET", AN_ORDER): ORDER_READERS,
    ("query", "GET", f"{AN_ORDER}/live"): ORDER_READERS,
    ("query", "GET", f"{AN_ORDER}/wait"): ORDER_READERS,
    ("query", "GET", f"{AN_ORDER}/wait/live"): ORDER_READERS,
    ("query", "GET", f"{AN_ORDER}/timeline"): ORDER_READERS,
    ("query", "GET", "/orders/by-number/{business_day}/{number}"): ORDER_READERS,
    ("query", "GET", "/tables"): ORDER_READERS,
    ("query", "GET", "/tables/live"): ORDER_READERS,
    ("query", "GET", "/board"): BOARD_READERS,
    ("query", "GET", "/board/live"): BOARD_READERS,
    ("query", "GET", "/menu"): {TILL, KITCHEN, BOARD, MANAGER},
    ("query", "GET", "/menu/live"): {TILL, KITCHEN, BOARD, MANAGER},
    ("query", "GET", "/sales"): {MANAGER, READER},
    ("query", "GET", "/sales/top"): {MANAGER, READER},
}

OF_ANY: dict[Row, set[Role]] = {
    ("query", "GET", "/v1/restaurants"): set(Role),
    ("query", "GET", "/v1/sales"): {MANAGER, READER},
}
"""Routes that name no restaurant, with their whole paths: who holds one of the roles anywhere is
answered, for the restaurants in which he does."""

_LETTERS = "/v1/operate/dead-letters"
OF_ALL: dict[Row, set[Role]] = {
    (service, method, path): {OPERATOR}
    for service in ("ordering", "serving", "query")
    for method, path in (
        ("GET", "/v1/operate/status"),
        ("GET", _LETTERS),
        ("GET", f"{_LETTERS}/{{letter}}"),
        ("POST", f"{_LETTERS}/replay"),
        ("POST", f"{_LETTERS}/discard"),
    )
}
OF_ALL |= {
    ("ordering", "GET", "/v1/operate/outbox"): {OPERATOR},
    ("ordering", "GET", "/v1/operate/parked-events"): {OPERATOR},
    ("ordering", "GET", "/v1/operate/parked-events/{event}"): {OPERATOR},
    ("ordering", "POST", "/v1/operate/parked-events/release"): {OPERATOR},
    ("query", "GET", "/v1/operate/generations"): {OPERATOR},
    ("query", "GET", "/v1/operate/jobs"): {OPERATOR},
    ("query", "GET", "/v1/operate/jobs/{job}"): {OPERATOR},
    ("query", "POST", "/v1/operate/jobs"): {OPERATOR},
}
"""Routes about all restaurants, with their whole paths: the role is needed in each, `*`."""

GUESTS_MAY: set[Row] = {
    ("query", "GET", AN_ORDER),
    ("query", "GET", f"{AN_ORDER}/live"),
    ("query", "GET", f"{AN_ORDER}/wait"),
    ("query", "GET", f"{AN_ORDER}/wait/live"),
}
"""What a guest may, besides: of his own order, to which the routes see."""

COMMANDS: dict[str, set[Role]] = {
    "place-order": ORDER_TAKERS,
    "add-items": ORDER_TAKERS,
    "cancel-order": ORDER_TAKERS,
    "close-order": ORDER_TAKERS,
}

PUBLIC = {
    *("/", "/health/live", "/health/ready", "/metrics"),
    *("/openapi.json", "/docs", "/asyncapi.json", "/asyncapi"),
    *(f"/docs/assets/{name}" for name in ("swagger-ui.js", "swagger-ui.css", "show.js")),
    *(f"/asyncapi/assets/{name}" for name in ("asyncapi.js", "asyncapi.css", "show.js")),
}
"""What everybody may ask of each service."""
