"""Restaurants and their menus over HTTP."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import comanda_contracts as contracts
from comanda_contracts.commands import Reason
from fastapi import APIRouter, Query, Response

from ordering.application.list_menu import list_menu
from ordering.application.set_availability import SetAvailability, set_availability
from ordering.application.set_menu_item import SetMenuItem, set_menu_item
from ordering.application.set_restaurant import SetRestaurant, set_restaurant
from ordering.application.withdraw_menu_item import WithdrawMenuItem, withdraw_menu_item
from ordering.domain.menu import MenuItem
from ordering.domain.restaurant import Restaurant
from ordering.inbound.answering import Store
from ordering.inbound.bodies import MenuAnswer, MenuItemBody, ReasonBody, RestaurantBody
from ordering.inbound.http.answers import changed, refusals_as_problems
from ordering.inbound.http.asked import Asked, AskedToChange
from ordering.inbound.http.openapi import (
    OF_A_RESTAURANT,
    OF_AN_ITEM,
    OF_ANY,
    OF_LEAVING,
    OF_OFFERING,
    OF_THE_MENU,
    REASON,
)
from ordering.inbound.http.parameters import PREFIX, ItemSku, Slug
from ordering.published import published_item

Why = Annotated[Reason | None, Query(description="travels in the event", examples=[REASON])]


def menu_routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of restaurants and menus."""
    router = APIRouter(prefix=PREFIX, responses=OF_ANY)

    @router.put("", response_model=contracts.Restaurant, responses=OF_A_RESTAURANT)
    async def put_restaurant(asked: AskedToChange, body: RestaurantBody) -> Response:
        """Open a restaurant, or change it."""
        command = SetRestaurant(
            wanted=Restaurant(restaurant=asked.restaurant, version=1, **body.model_dump()),
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store, asked, body, lambda tx: set_restaurant(command, transaction=tx, at=clock())
        )

    @router.get("/menu", response_model=MenuAnswer, responses=OF_THE_MENU)
    async def get_menu(restaurant: Slug) -> Response:
        """List what the restaurant offers, as the write side knows it."""
        with refusals_as_problems():
            items = await store.run(lambda tx: list_menu(restaurant, transaction=tx))
        menu = MenuAnswer(items=[published_item(item) for item in items])
        return Response(menu.model_dump_json(), media_type="application/json")

    @router.put("/menu/{sku}", response_model=contracts.MenuItem, responses=OF_AN_ITEM)
    async def put_menu_item(asked: AskedToChange, sku: ItemSku, body: MenuItemBody) -> Response:
        """Put an item on the menu, or change it."""
        command = SetMenuItem(
            wanted=MenuItem(restaurant=asked.restaurant, sku=sku, version=1, **body.model_dump()),
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store, asked, body, lambda tx: set_menu_item(command, transaction=tx, at=clock())
        )

    @router.delete("/menu/{sku}", response_model=contracts.MenuItem, responses=OF_LEAVING)
    async def delete_menu_item(asked: AskedToChange, sku: ItemSku, reason: Why = None) -> Response:
        """Take an item off the menu for good."""
        command = WithdrawMenuItem(
            restaurant=asked.restaurant,
            sku=sku,
            reason=reason,
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store,
            asked,
            ReasonBody(reason=reason),
            lambda tx: withdraw_menu_item(command, transaction=tx, at=clock()),
        )

    async def set_available(
        available: bool, asked: Asked, sku: str, body: ReasonBody | None
    ) -> Response:
        command = SetAvailability(
            restaurant=asked.restaurant,
            sku=sku,
            available=available,
            reason=body.reason if body else None,
            expected_version=asked.expected_version,
            actor=asked.actor,
        )
        return await changed(
            store, asked, body, lambda tx: set_availability(command, transaction=tx, at=clock())
        )

    @router.post(
        "/menu/{sku}/available",
        response_model=contracts.MenuItem,
        responses=OF_OFFERING,
    )
    async def post_available(
        asked: AskedToChange, sku: ItemSku, body: ReasonBody | None = None
    ) -> Response:
        """Offer an item again."""
        return await set_available(True, asked, sku, body)

    @router.post(
        "/menu/{sku}/unavailable",
        response_model=contracts.MenuItem,
        responses=OF_OFFERING,
    )
    async def post_unavailable(
        asked: AskedToChange, sku: ItemSku, body: ReasonBody | None = None
    ) -> Response:
        """Stop offering an item, until it is available again."""
        return await set_available(False, asked, sku, body)

    return router
