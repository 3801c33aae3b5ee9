"""Placing orders over HTTP: by the framework, or by a lane ahead of it."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from comanda_contracts.commands import COMMAND_BODIES, PlaceOrderRequest
from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import Response
from service_kit.access.guests import GUEST_TOKEN_HEADER, GuestSigner
from service_kit.access.principal import Forbidden
from service_kit.http.fast_lane import Lane, RawRequest

from ordering.application.place_order import PlaceOrder, place_order
from ordering.inbound import needed
from ordering.inbound.bodies import party, requested_lines
from ordering.inbound.change import Store
from ordering.inbound.http.parameters import PREFIX
from ordering.inbound.http.request_context import RequestContext, context_of
from ordering.inbound.http.responses import respond

ORDERS_PATH = re.compile(PREFIX.format(restaurant=f"({SLUG_PATTERN[1:-1]})") + "/orders")
BODY = COMMAND_BODIES["place-order"]

Endpoint = Callable[[RequestContext, PlaceOrderRequest], Awaitable[Response]]
"""Places the requested order, and responds."""


def placement_endpoint(
    store: Store,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    guests: GuestSigner | None = None,
) -> Endpoint:
    """The endpoint that places orders in this store.

    With `guests` its answer carries the capability of the order's guest, which is kept nowhere: who
    repeats a request gets a new one.
    """

    async def endpoint(context: RequestContext, body: PlaceOrderRequest) -> Response:
        command = PlaceOrder(
            order_id=new_id(),
            restaurant=context.restaurant,
            party=party(body),
            requested_lines=requested_lines(body),
            actor=context.actor,
            by=context.by,
        )
        response = await respond(
            store,
            context,
            body,
            lambda tx: place_order(command, transaction=tx, at=clock()),
            status=201,
        )
        if guests is not None:
            order_id = response.headers["location"].rpartition("/")[2]
            response.headers[GUEST_TOKEN_HEADER] = guests.token(context.restaurant, order_id)
        return response

    return endpoint


def placement_lane(endpoint: Endpoint) -> Lane:
    """The lane that takes every order with which nothing is wrong to the endpoint."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        if request.headers.get("content-type") != "application/json":
            return None
        try:
            context = context_of(request.parts[1], request, needed.ORDER_TAKERS)
            body = BODY.validate_python(json.loads(request.body))
        except (ValueError, RecursionError, Forbidden):
            return None
        return endpoint(context, body)

    return Lane("POST", ORDERS_PATH, take, needed.ORDERS)
