"""A guest sees his own order, by the lane and by the framework, and nothing else of anybody."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from comanda_contracts import Order, TicketStatus
from query.storage.orders.store import MongoOrders

from tests.query.builders import a_round, after, an_order, closed, its_ticket, news_of, placed
from tests.query.conftest import answering, store
from tests.query.replicas import a_replica
from tests.query.screen import watching
from tests.support.admission import guest_bearer

PHONE = "+39 06 5550100"


@pytest.fixture(params=[True, False], ids=["lane", "framework"])
async def query(
    fresh_mongodb_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    async with answering(fresh_mongodb_url, has_lanes=request.param) as client:
        yield client


def path_of(order: Order) -> str:
    return f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}"


def guest_of(order: Order) -> dict[str, str]:
    return guest_bearer(order.restaurant, order.order_id)


async def test_a_guest_sees_his_order_without_phone_and_actors(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, phone=PHONE)
    event = placed(order).model_copy(update={"actor": "luigi"})
    await store(orders, event)

    to_staff = await query.get(path_of(order))
    to_guest = await query.get(path_of(order), headers=guest_of(order))

    assert (to_staff.json()["phone"], to_staff.json()["timeline"][0]["actor"]) == (PHONE, "luigi")
    assert to_guest.json() == hidden(to_staff.json())
    assert to_guest.headers["etag"] != to_staff.headers["etag"]


async def test_a_guests_other_order_is_unknown_whether_or_not_it_exists(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    own, other, elsewhere = (
        an_order(restaurant=each) for each in (restaurant, restaurant, f"{restaurant}-b")
    )
    await store(orders, placed(own), placed(other), placed(elsewhere))
    there = path_of(own).replace(restaurant, elsewhere.restaurant)

    for path in (path_of(other), path_of(an_order(restaurant=restaurant)), path_of(elsewhere)):
        answer = await query.get(path, headers=guest_of(own))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-order")
        live = await query.get(f"{path}/live", headers=guest_of(own))
        assert (live.status_code, live.json()["code"]) == (404, "unknown-order")
    assert (await query.get(there, headers=guest_of(own))).status_code == 404


async def test_a_guest_is_let_in_nowhere_else(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(orders, placed(order))
    venue = f"/v1/restaurants/{restaurant}"
    number = f"{order.business_day}/{order.number}"

    for path in (
        *(f"{path_of(order)}/timeline", f"{venue}/orders/by-number/{number}", f"{venue}/orders"),
        *(f"{venue}/orders/live", f"{venue}/tables", f"{venue}/board", f"{venue}/menu"),
        *(f"{venue}/sales/top?day={order.business_day}", f"{venue}/board/live"),
    ):
        answer = await query.get(path, headers=guest_of(order))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path


async def test_a_guests_live_feed_has_none_of_it_either(
    fresh_mongodb_url: str, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, phone=PHONE)

    async with a_replica(fresh_mongodb_url) as replica:
        await store(replica.orders, placed(order).model_copy(update={"actor": "luigi"}))
        url = replica.url + path_of(order)
        async with httpx.AsyncClient(headers=guest_of(order)) as client:
            shown = await client.get(url)
        async with (
            watching(replica.url, f"{path_of(order)}/live", authorization=guest_of(order)) as guest,
            watching(replica.url, f"{path_of(order)}/live") as staff,
        ):
            first, to_staff = await guest.next(), await staff.next()
            await store(replica.orders, closed(order).model_copy(update={"actor": "mario"}))
            then, then_to_staff = await guest.next(), await staff.next()

    assert first.data == hidden(to_staff.data) == shown.json()
    assert f'"{first.id}"' == shown.headers["etag"]
    assert then.data == hidden(then_to_staff.data)
    assert then.data["status"] == "closed"
    for name in ("luigi", "mario", PHONE):
        assert name in str((to_staff, then_to_staff))
        assert name not in str((first, then))


async def test_a_guest_sees_how_many_are_before_him_and_nothing_of_them(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    first, own, last = (
        an_order(
            restaurant=restaurant,
            number=f"A-00{at}",
            customer=f"guest {at}",
            placed_at=after(at),
            rounds=(a_round(1, ordered_at=after(at)),),
        )
        for at in range(3)
    )
    await store(orders, *map(placed, (first, own, last)))

    answer = await query.get(f"{path_of(own)}/wait", headers=guest_of(own))
    other = await query.get(f"{path_of(first)}/wait", headers=guest_of(own))

    nothing_known = {"ready_from": None, "ready_until": None}
    assert answer.json() == {"order_id": str(own.order_id), "position": 2, **nothing_known}
    assert (other.status_code, other.json()["code"]) == (404, "unknown-order")


async def test_a_guest_is_told_when_he_moves_up(fresh_mongodb_url: str, restaurant: str) -> None:
    first, own = (
        an_order(
            restaurant=restaurant,
            placed_at=after(at),
            rounds=(a_round(1, ordered_at=after(at)),),
        )
        for at in range(2)
    )

    async with a_replica(fresh_mongodb_url) as replica:
        await store(replica.orders, placed(first), placed(own))
        live = f"{path_of(own)}/wait/live"
        async with watching(replica.url, live, authorization=guest_of(own)) as guest:
            before = await guest.next()
            begun = its_ticket(first, status=TicketStatus.PREPARING, started_at=after(5))
            await store(replica.orders, news_of(begun))
            then = await guest.next()

    assert (before.name, before.data["position"]) == ("snapshot", 2)
    assert (then.name, then.data["position"]) == ("wait", 1)


def hidden(order: dict[str, Any]) -> dict[str, Any]:
    """The order as staff sees it, without what a guest is not shown."""
    timeline = [each | {"actor": None, "reason": None} for each in order["timeline"]]
    return order | {"phone": None, "timeline": timeline}
