"""Placing orders over HTTP: by the framework, or by a lane ahead of it."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from comanda_contracts.commands import COMMAND_BODIES, PlaceOrderRequest
from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import Response
from service_kit.http.fast_lane import Lane, RawRequest

from ordering.application.place_order import PlaceOrder, place_order
from ordering.inbound.answering import Store
from ordering.inbound.bodies import party, wishes
from ordering.inbound.http.answers import changed
from ordering.inbound.http.asked import Asked, asked_plainly
from ordering.inbound.http.parameters import PREFIX

ORDERS = re.compile(PREFIX.format(restaurant=f"({SLUG_PATTERN[1:-1]})") + "/orders")
BODY = COMMAND_BODIES["place-order"]

Place = Callable[[Asked, PlaceOrderRequest], Awaitable[Response]]
"""Places the order that was asked for, and answers."""


def placing(store: Store, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> Place:
    """How orders are placed, in this store."""

    async def place(asked: Asked, body: PlaceOrderRequest) -> Response:
        command = PlaceOrder(
            order_id=new_id(),
            restaurant=asked.restaurant,
            party=party(body),
            wishes=wishes(body),
            actor=asked.actor,
        )
        return await changed(
            store,
            asked,
            body,
            lambda tx: place_order(command, transaction=tx, at=clock()),
            status=201,
        )

    return place


def placing_lane(place: Place) -> Lane:
    """Takes every order with which nothing is wrong."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        if request.headers.get("content-type") != "application/json":
            return None
        try:
            asked = asked_plainly(request.parts[1], request)
            body = BODY.validate_python(json.loads(request.body))
        except (ValueError, RecursionError):
            return None
        return place(asked, body)

    return Lane("POST", ORDERS, take)
