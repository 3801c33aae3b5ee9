"""An order over HTTP as the write side has it, which is where `Location` leads."""

import comanda_contracts as contracts
from fastapi import APIRouter, Response

from ordering.application.show_order import Orders, show_order
from ordering.contract import order_to_contract
from ordering.inbound import needed
from ordering.inbound.http.openapi import ORDER_RESPONSES
from ordering.inbound.http.parameters import PREFIX, OrderId, Slug
from ordering.inbound.http.responses import refusals_as_problems


def order_reading_routes(orders: Orders) -> APIRouter:
    """The route of one order."""
    router = APIRouter(prefix=PREFIX, tags=["Orders"], dependencies=[needed.ORDER_READING])

    @router.get(
        "/orders/{order_id}",
        operation_id="getPlacedOrder",
        response_model=contracts.Order,
        responses=ORDER_RESPONSES,
    )
    async def get_order(restaurant: Slug, order_id: OrderId) -> Response:
        """Show an order as it was answered when it was last changed.

        It has whatever was answered before, so that a till that lost an answer asks nobody else.
        How far the kitchen is, and what happened when, query knows.
        """
        with refusals_as_problems():
            order = order_to_contract(await show_order(order_id, restaurant, orders=orders))
        headers = {"ETag": f'"{order.version}"'}
        return Response(order.model_dump_json(), headers=headers, media_type="application/json")

    return router
