"""Restaurants and their menus over HTTP."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import comanda_contracts as contracts
from comanda_contracts.commands import Reason
from fastapi import APIRouter, Query, Response

from ordering.application.list_menu import Menus, list_menu
from ordering.application.set_availability import SetAvailability, set_availability
from ordering.application.set_menu_item import SetMenuItem, set_menu_item
from ordering.application.set_restaurant import SetRestaurant, set_restaurant
from ordering.application.show_restaurant import Restaurants, show_restaurant
from ordering.application.withdraw_menu_item import WithdrawMenuItem, withdraw_menu_item
from ordering.contract import item_to_contract, restaurant_to_contract
from ordering.domain.menu import MenuItem
from ordering.inbound import needed
from ordering.inbound.bodies import (
    MenuAnswer,
    MenuItemBody,
    ReasonBody,
    RestaurantBody,
    unlisted,
    wanted_restaurant,
)
from ordering.inbound.change import Store
from ordering.inbound.http.openapi import (
    AVAILABILITY_RESPONSES,
    MENU_ITEM_RESPONSES,
    MENU_RESPONSES,
    REASON,
    RESTAURANT_READING_RESPONSES,
    RESTAURANT_RESPONSES,
    WITHDRAWAL_RESPONSES,
)
from ordering.inbound.http.parameters import PREFIX, ItemSku, Slug
from ordering.inbound.http.request_context import Context, RequestContext
from ordering.inbound.http.responses import refusals_as_problems, respond

WhyWithdrawn = Annotated[
    Reason | None, Query(description="travels in the event", examples=[REASON])
]


def menu_routes(
    store: Store, restaurants: Restaurants, menus: Menus, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes of restaurants and menus."""
    router = APIRouter(prefix=PREFIX)

    @router.put(
        "",
        operation_id="setRestaurant",
        tags=["Restaurants"],
        response_model=contracts.Restaurant,
        responses=RESTAURANT_RESPONSES,
        dependencies=[needed.RESTAURANT],
    )
    async def put_restaurant(context: Context, body: RestaurantBody) -> Response:
        """Open a restaurant, or change it."""
        command = SetRestaurant(
            wanted=wanted_restaurant(context.restaurant, body),
            unlisted=unlisted(body),
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, body, lambda tx: set_restaurant(command, transaction=tx, at=clock())
        )

    @router.get(
        "",
        operation_id="getRestaurant",
        tags=["Restaurants"],
        response_model=contracts.Restaurant,
        responses=RESTAURANT_READING_RESPONSES,
        dependencies=[needed.RESTAURANT],
    )
    async def get_restaurant(restaurant: Slug) -> Response:
        """Show a restaurant as it was set last, with the hour at which its business day begins."""
        with refusals_as_problems():
            found = await show_restaurant(restaurant, restaurants=restaurants)
        shown = restaurant_to_contract(found)
        headers = {"ETag": f'"{shown.version}"'}
        return Response(shown.model_dump_json(), headers=headers, media_type="application/json")

    @router.get(
        "/menu",
        operation_id="listMenuItems",
        tags=["Menu"],
        response_model=MenuAnswer,
        responses=MENU_RESPONSES,
        dependencies=[needed.MENU_READING],
    )
    async def get_menu(restaurant: Slug) -> Response:
        """List what the restaurant offers, as the write side knows it."""
        with refusals_as_problems():
            items = await list_menu(restaurant, menus=menus)
        menu = MenuAnswer(items=[item_to_contract(item) for item in items])
        return Response(menu.model_dump_json(), media_type="application/json")

    @router.put(
        "/menu/{sku}",
        operation_id="setMenuItem",
        tags=["Menu"],
        response_model=contracts.MenuItem,
        responses=MENU_ITEM_RESPONSES,
        dependencies=[needed.MENU],
    )
    async def put_menu_item(context: Context, sku: ItemSku, body: MenuItemBody) -> Response:
        """Put an item on the menu, or change it."""
        command = SetMenuItem(
            wanted=MenuItem(restaurant=context.restaurant, sku=sku, version=1, **body.model_dump()),
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, body, lambda tx: set_menu_item(command, transaction=tx, at=clock())
        )

    @router.delete(
        "/menu/{sku}",
        operation_id="withdrawMenuItem",
        tags=["Menu"],
        response_model=contracts.MenuItem,
        responses=WITHDRAWAL_RESPONSES,
        dependencies=[needed.MENU],
    )
    async def delete_menu_item(
        context: Context, sku: ItemSku, reason: WhyWithdrawn = None
    ) -> Response:
        """Take an item off the menu for good."""
        command = WithdrawMenuItem(
            restaurant=context.restaurant,
            sku=sku,
            reason=reason,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store,
            context,
            ReasonBody(reason=reason),
            lambda tx: withdraw_menu_item(command, transaction=tx, at=clock()),
        )

    async def set_available(
        available: bool, context: RequestContext, sku: str, body: ReasonBody | None
    ) -> Response:
        command = SetAvailability(
            restaurant=context.restaurant,
            sku=sku,
            available=available,
            reason=body.reason if body else None,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, body, lambda tx: set_availability(command, transaction=tx, at=clock())
        )

    @router.post(
        "/menu/{sku}/available",
        operation_id="makeItemAvailable",
        tags=["Menu"],
        response_model=contracts.MenuItem,
        responses=AVAILABILITY_RESPONSES,
        dependencies=[needed.AVAILABILITY],
    )
    async def post_available(
        context: Context, sku: ItemSku, body: ReasonBody | None = None
    ) -> Response:
        """Offer an item again."""
        return await set_available(True, context, sku, body)

    @router.post(
        "/menu/{sku}/unavailable",
        operation_id="makeItemUnavailable",
        tags=["Menu"],
        response_model=contracts.MenuItem,
        responses=AVAILABILITY_RESPONSES,
        dependencies=[needed.AVAILABILITY],
    )
    async def post_unavailable(
        context: Context, sku: ItemSku, body: ReasonBody | None = None
    ) -> Response:
        """Stop offering an item, until it is available again."""
        return await set_available(False, context, sku, body)

    return router
