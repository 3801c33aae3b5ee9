"""Orders over HTTP."""

from collections.abc import Callable
from datetime import datetime

import comanda_contracts as contracts
from comanda_contracts.commands import CancellationRequest, PlaceOrderRequest, RoundRequest
from fastapi import APIRouter, Response

from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_order import CloseOrder, close_order
from ordering.inbound.answering import Store
from ordering.inbound.bodies import only, wishes
from ordering.inbound.http.answers import changed
from ordering.inbound.http.asked import AskedToChange
from ordering.inbound.http.openapi import OF_AN_ORDER, OF_ANY, OF_THE_MENU
from ordering.inbound.http.parameters import PREFIX, OrderId
from ordering.inbound.http.placing import Place


def order_routes(store: Store, place: Place, *, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of orders."""
    router = APIRouter(prefix=PREFIX, responses=OF_ANY)

    @router.post(
        "/orders",
        status_code=201,
        response_model=contracts.Order,
        responses=OF_THE_MENU,
    )
    async def post_order(asked: AskedToChange, body: PlaceOrderRequest) -> Response:
        """Place an order."""
        return await place(asked, body)

    @router.post(
        "/orders/{order_id}/rounds",
        status_code=201,
        response_model=contracts.Order,
        responses=OF_AN_ORDER,
    )
    async def post_round(asked: AskedToChange, order_id: OrderId, body: RoundRequest) -> Response:
        """Add a round of items to an open order."""
        command = AddItems(
            order_id=order_id,
            restaurant=asked.restaurant,
            wishes=wishes(body),
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store,
            asked,
            body,
            lambda tx: add_items(command, transaction=tx, at=clock()),
            status=201,
        )

    @router.post(
        "/orders/{order_id}/close",
        response_model=contracts.Order,
        responses=OF_AN_ORDER,
    )
    async def post_close(asked: AskedToChange, order_id: OrderId) -> Response:
        """Close an order of which everything is served."""
        command = CloseOrder(
            order_id=order_id,
            restaurant=asked.restaurant,
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store, asked, None, lambda tx: close_order(command, transaction=tx, at=clock())
        )

    @router.post(
        "/orders/{order_id}/cancel",
        status_code=202,
        response_model=contracts.Order,
        responses=OF_AN_ORDER,
    )
    async def post_cancel(
        asked: AskedToChange, order_id: OrderId, body: CancellationRequest
    ) -> Response:
        """Ask for the order, or some of its rounds, to be cancelled; the kitchen decides."""
        command = CancelOrder(
            order_id=order_id,
            restaurant=asked.restaurant,
            reason=body.reason,
            rounds=only(body),
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store,
            asked,
            body,
            lambda tx: cancel_order(command, transaction=tx, at=clock()),
            status=202,
        )

    return router
