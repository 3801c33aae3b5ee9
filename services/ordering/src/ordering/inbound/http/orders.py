"""Orders over HTTP."""

from collections.abc import Callable
from datetime import datetime

import comanda_contracts as contracts
from comanda_contracts.commands import CancellationRequest, PlaceOrderRequest, RoundRequest
from fastapi import APIRouter, Response

from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_order import CloseOrder, close_order
from ordering.application.forget_order import ForgetOrder, forget_order
from ordering.inbound import needed
from ordering.inbound.bodies import requested_lines, rounds_to_cancel
from ordering.inbound.change import Store
from ordering.inbound.http.openapi import (
    CANCELLATION_RESPONSES,
    CLOSING_RESPONSES,
    FORGETTING_RESPONSES,
    PLACED_RESPONSES,
    PLACEMENT_RESPONSES,
    ROUND_RESPONSES,
)
from ordering.inbound.http.order_placement import Endpoint
from ordering.inbound.http.parameters import PREFIX, OrderId
from ordering.inbound.http.request_context import Context, PlacementContext
from ordering.inbound.http.responses import respond


def order_routes(
    store: Store, place_order: Endpoint, *, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes of orders."""
    router = APIRouter(prefix=PREFIX, tags=["Orders"], dependencies=[needed.ORDERS])

    @router.post(
        "/orders",
        operation_id="placeOrder",
        status_code=201,
        response_model=contracts.Order,
        responses=PLACEMENT_RESPONSES | PLACED_RESPONSES,
    )
    async def post_order(context: PlacementContext, body: PlaceOrderRequest) -> Response:
        """Place an order."""
        return await place_order(context, body)

    @router.post(
        "/orders/{order_id}/rounds",
        operation_id="addRound",
        status_code=201,
        response_model=contracts.Order,
        responses=ROUND_RESPONSES,
    )
    async def post_round(context: Context, order_id: OrderId, body: RoundRequest) -> Response:
        """Add a round of items to an open order."""
        command = AddItems(
            order_id=order_id,
            restaurant=context.restaurant,
            requested_lines=requested_lines(body),
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store,
            context,
            body,
            lambda tx: add_items(command, transaction=tx, at=clock()),
            status=201,
        )

    @router.post(
        "/orders/{order_id}/close",
        operation_id="closeOrder",
        response_model=contracts.Order,
        responses=CLOSING_RESPONSES,
    )
    async def post_close(context: Context, order_id: OrderId) -> Response:
        """Close an order of which everything is served."""
        command = CloseOrder(
            order_id=order_id,
            restaurant=context.restaurant,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, None, lambda tx: close_order(command, transaction=tx, at=clock())
        )

    @router.post(
        "/orders/{order_id}/cancel",
        operation_id="cancelOrder",
        status_code=202,
        response_model=contracts.Order,
        responses=CANCELLATION_RESPONSES,
    )
    async def post_cancel(
        context: Context, order_id: OrderId, body: CancellationRequest
    ) -> Response:
        """Ask for the order, or some of its rounds, to be cancelled; the kitchen decides."""
        command = CancelOrder(
            order_id=order_id,
            restaurant=context.restaurant,
            reason=body.reason,
            rounds=rounds_to_cancel(body),
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store,
            context,
            body,
            lambda tx: cancel_order(command, transaction=tx, at=clock()),
            status=202,
        )

    return router


# decision/0077: a guest is forgotten
def forgetting_routes(store: Store, *, clock: Callable[[], datetime]) -> APIRouter:
    """The route by which the guest of an order is forgotten."""
    router = APIRouter(prefix=PREFIX, tags=["Orders"], dependencies=[needed.FORGETTING])

    @router.post(
        "/orders/{order_id}/forget",
        operation_id="forgetGuest",
        response_model=contracts.Order,
        responses=FORGETTING_RESPONSES,
    )
    async def post_forget(context: Context, order_id: OrderId) -> Response:
        """Forget the guest of an order that is over: name, phone number and notes go for good.

        Numbers, times and prices stay. Within moments it is done everywhere; repeated it changes
        nothing.
        """
        command = ForgetOrder(
            order_id=order_id,
            restaurant=context.restaurant,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, None, lambda tx: forget_order(command, transaction=tx, at=clock())
        )

    return router
