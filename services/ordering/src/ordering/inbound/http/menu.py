"""Restaurants and their menus over HTTP."""

from collections.abc import Callable
from datetime import datetime

import comanda_contracts as contracts
from fastapi import APIRouter, Response
from pydantic import BaseModel
from service_kit.problems import problem_responses

from ordering.application.list_menu import list_menu
from ordering.application.set_menu_item import set_menu_item
from ordering.application.set_restaurant import set_restaurant
from ordering.application.withdraw_menu_item import withdraw_menu_item
from ordering.domain.menu import MenuItem
from ordering.domain.restaurant import Restaurant
from ordering.inbound.bodies import MenuItemBody, RestaurantBody
from ordering.inbound.http.answers import PREFIX, Actor, ItemSku, Run, Slug, answer, done
from ordering.published import published_item, published_restaurant


class MenuAnswer(BaseModel):
    """What a restaurant offers."""

    items: list[contracts.MenuItem]


def menu_routes(run: Run, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of restaurants and menus."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(400, 413, 422, 503))

    @router.put("", response_model=contracts.Restaurant, responses=problem_responses(409))
    async def put_restaurant(
        restaurant: Slug, body: RestaurantBody, actor: Actor = None
    ) -> Response:
        """Open a restaurant, or change it."""
        wanted = Restaurant(restaurant=restaurant, version=1, **body.model_dump())
        changed = await done(
            run,
            lambda transaction: set_restaurant(
                wanted, transaction=transaction, at=clock(), actor=actor
            ),
        )
        return answer(published_restaurant(changed))

    @router.get("/menu", response_model=MenuAnswer, responses=problem_responses(404))
    async def get_menu(restaurant: Slug) -> Response:
        """List what the restaurant offers, as the write side knows it."""
        items = await done(run, lambda transaction: list_menu(restaurant, transaction=transaction))
        menu = MenuAnswer(items=[published_item(item) for item in items])
        return Response(menu.model_dump_json(), media_type="application/json")

    @router.put(
        "/menu/{sku}", response_model=contracts.MenuItem, responses=problem_responses(404, 409)
    )
    async def put_menu_item(
        restaurant: Slug, sku: ItemSku, body: MenuItemBody, actor: Actor = None
    ) -> Response:
        """Put an item on the menu, or change it."""
        wanted = MenuItem(restaurant=restaurant, sku=sku, version=1, **body.model_dump())
        changed = await done(
            run,
            lambda transaction: set_menu_item(
                wanted, transaction=transaction, at=clock(), actor=actor
            ),
        )
        return answer(published_item(changed))

    @router.delete(
        "/menu/{sku}", response_model=contracts.MenuItem, responses=problem_responses(404)
    )
    async def delete_menu_item(restaurant: Slug, sku: ItemSku, actor: Actor = None) -> Response:
        """Take an item off the menu for good."""
        changed = await done(
            run,
            lambda transaction: withdraw_menu_item(
                restaurant, sku, transaction=transaction, at=clock(), actor=actor
            ),
        )
        return answer(published_item(changed))

    return router
