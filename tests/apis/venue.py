"""A restaurant with a menu and orders, for requests that would else name nothing that exists."""

import time
import uuid
from typing import Any

import httpx
from comanda_local.stack import Stack

PATIENCE = 60.0
"""Seconds until every order must have its ticket."""

Names = dict[str, Any]
"""Names of things that exist, as parameters and bodies call them."""

ON_THE_WAY = ((), ("start",), ("start", "ready"), ("start", "ready", "serve"))
"""What the kitchen has done for each of the orders."""


def open_venue(stack: Stack) -> list[Names]:
    """Open a new restaurant and place orders, of which the kitchen has made more or less.

    Returns the names of everything there, once for each order.
    """
    slug = f"r-{uuid.uuid4().hex[:12]}"
    with httpx.Client(timeout=60, trust_env=False) as http:
        ordering, serving = (
            f"{stack.services[name].url}/v1/restaurants/{slug}" for name in ("ordering", "serving")
        )
        venue = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
        http.put(ordering, json=venue).raise_for_status()
        item = {"name": "Margherita", "category": "Pizza", "price": 850}
        http.put(f"{ordering}/menu/margherita", json=item).raise_for_status()
        orders = [_place(http, ordering) for _ in ON_THE_WAY]
        _wait_for_tickets(http, serving)
        for order_id, commands in zip(orders, ON_THE_WAY, strict=True):
            for command in commands:
                http.post(f"{serving}/orders/{order_id}/rounds/1/{command}").raise_for_status()
    return [_names(slug, order_id) for order_id in orders]


def _names(slug: str, order_id: str) -> Names:
    return {
        "restaurant": slug,
        "order_id": order_id,
        "round": 1,
        "rounds": [1],
        "sku": "margherita",
        "currency": "EUR",
        "time_zone": "Europe/Rome",
    }


def _place(http: httpx.Client, ordering: str) -> str:
    party = {"channel": "dine_in", "table": "12", "guests": 2}
    body = party | {"lines": [{"sku": "margherita", "quantity": 1}]}
    order = http.post(f"{ordering}/orders", json=body).raise_for_status().json()
    order_id: str = order["order_id"]
    return order_id


def _wait_for_tickets(http: httpx.Client, serving: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(http.get(f"{serving}/queue").raise_for_status().json()["tickets"]) < len(ON_THE_WAY):
        assert time.monotonic() < deadline, "not every order has a ticket"
        time.sleep(0.02)
