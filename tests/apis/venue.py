"""A restaurant with a menu and orders, for requests that would else name nothing that exists."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import nats
from comanda_contracts import subjects
from comanda_local.services import Service
from comanda_local.stack import NATS_URL, Stack

PATIENCE = 60.0
"""Seconds until every order must have its ticket."""

Names = dict[str, Any]
"""Names of things that exist, as parameters and bodies call them."""

ON_THE_WAY = ((), ("start",), ("start", "ready"), ("start", "ready", "serve"), ())
"""What the kitchen has done for each of the orders. The last one is cancelled."""


def open_venue(services: Mapping[str, Service], headers: Mapping[str, str]) -> list[Names]:
    """Open a new restaurant and place orders, of which the kitchen has made more or less.

    `headers` send a token that may. Returns the names of everything there, once for each order.
    """
    slug = f"r-{uuid.uuid4().hex[:12]}"
    with httpx.Client(timeout=60, trust_env=False, headers=headers) as http:
        ordering, serving, query = (
            f"{services[name].url}/v1/restaurants/{slug}"
            for name in ("ordering", "serving", "query")
        )
        venue = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
        http.put(ordering, json=venue).raise_for_status()
        item = {"name": "Margherita", "category": "Pizza", "price": 850}
        http.put(f"{ordering}/menu/margherita", json=item).raise_for_status()
        orders = [_place(http, ordering) for _ in ON_THE_WAY]
        _wait_for_tickets(http, serving)
        for order, commands in zip(orders, ON_THE_WAY, strict=True):
            for command in commands:
                url = f"{serving}/orders/{order['order_id']}/rounds/1/{command}"
                http.post(url).raise_for_status()
        _wait_for_views(http, query)
        _cancel(http, f"{ordering}/orders/{orders[-1]['order_id']}")
    return [_names(slug, order) for order in orders]


async def put_letter(stack: Stack, service: str) -> int:
    """Set a message aside that nobody can read, as the service does. Returns its number."""
    subject = subjects.dead_letter(service, "TICKETS")
    headers = {"Comanda-Reason": "not read", "Comanda-Stream": "TICKETS"}
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        return (await client.jetstream().publish(subject, b"{", headers=headers)).seq


def _names(slug: str, order: Names) -> Names:
    return {
        "restaurant": slug,
        "order_id": order["order_id"],
        "number": order["number"],
        "business_day": order["business_day"],
        "round": 1,
        "rounds": [1],
        "sku": "margherita",
        "currency": "EUR",
        "time_zone": "Europe/Rome",
    }


def _place(http: httpx.Client, ordering: str) -> Names:
    party = {"channel": "dine_in", "table": "12", "guests": 2}
    body = party | {"lines": [{"sku": "margherita", "quantity": 1}]}
    order: Names = http.post(f"{ordering}/orders", json=body).raise_for_status().json()
    return order


def _cancel(http: httpx.Client, order: str) -> None:
    """Wait until the kitchen has let go of it: it is over."""
    http.post(f"{order}/cancel", json={"reason": "left"}).raise_for_status()
    deadline = time.monotonic() + PATIENCE
    while http.get(order).json()["status"] != "cancelled":
        assert time.monotonic() < deadline, f"{order} is not cancelled"
        time.sleep(0.02)


def _wait_for_tickets(http: httpx.Client, serving: str) -> None:
    _wait_for_each(http, f"{serving}/queue", "tickets")


def _wait_for_views(http: httpx.Client, query: str) -> None:
    _wait_for_each(http, f"{query}/orders", "orders")


def _wait_for_each(http: httpx.Client, url: str, name: str) -> None:
    """Wait until there is one for each order."""
    deadline = time.monotonic() + PATIENCE
    while len(http.get(url).json().get(name, ())) < len(ON_THE_WAY):
        assert time.monotonic() < deadline, f"not every order is among the {name}"
        time.sleep(0.02)
