"""Live feeds on real MongoDB, read over HTTP: a snapshot, then what changes, on any replica."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from comanda_contracts import Order, OrderEvent, TicketEvent, TicketStatus
from comanda_local.servers import MongoDB
from prometheus_client import REGISTRY
from pymongo.monitoring import CommandListener, CommandStartedEvent
from query.live import feeds
from query.live.change_stream import ChangeListener
from query.live.feeds import MongoLiveOrders
from query.live.position import Position
from query.storage.generations import POINTER_ID, OneGeneration
from query.storage.orders.store import MongoOrders
from query.views.menu import MenuView, view_of
from query.views.orders.view import document
from query.views.orders.view import view_of as order_view_of
from query.views.ports import LiveUpdate, StoreUnavailable, TooSlow
from service_kit.http import live_feed as live
from service_kit.http import sse

from tests.query.builders import (
    after,
    an_order,
    at_table,
    closed,
    its_ticket,
    news_of,
    offered,
    opened,
    placed,
)
from tests.query.conftest import store
from tests.query.replicas import Replica, a_replica
from tests.query.screen import Event, watching
from tests.support.eventually import eventually
from tests.support.tokens import bearer


def live_order(order: Order) -> str:
    return f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}/live"


def live_orders(restaurant: str) -> str:
    return f"/v1/restaurants/{restaurant}/orders/live"


def live_board(restaurant: str) -> str:
    return f"/v1/restaurants/{restaurant}/board/live"


def live_tables(restaurant: str) -> str:
    return f"/v1/restaurants/{restaurant}/tables/live"


def live_menu(restaurant: str) -> str:
    return f"/v1/restaurants/{restaurant}/menu/live"


@pytest.fixture
async def replica(fresh_mongodb_url: str, restaurant: str) -> AsyncIterator[Replica]:
    async with a_replica(fresh_mongodb_url) as replica:
        await replica.menus.merge_restaurants([view_of(opened(restaurant))])
        yield replica


@pytest.fixture
async def other_replica(fresh_mongodb_url: str) -> AsyncIterator[Replica]:
    async with a_replica(fresh_mongodb_url) as replica:
        yield replica


def seen(event: Event) -> tuple[str, str, int]:
    return event.name, event.data["status"], len(event.data["timeline"])


async def test_an_order_is_shown_and_then_each_change_of_it(
    replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))

    async with watching(replica.url, live_order(order)) as screen:
        snapshot = await screen.next()
        await store(replica.orders, ready(order))
        cooked = await screen.next()
        await store(replica.orders, closed(order))
        done = await screen.next()

    assert screen.response.headers["content-type"].startswith("text/event-stream")
    assert seen(snapshot) == ("snapshot", "placed", 1)
    assert [seen(cooked), seen(done)] == [("order", "ready", 2), ("order", "closed", 3)]


async def test_an_event_of_an_order_is_known_by_the_etag_of_its_answer(
    replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    async with watching(replica.url, live_order(order)) as screen:
        event = await screen.next()

    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        answer = await query.get(live_order(order).removesuffix("/live"))

    assert answer.headers["ETag"] == f'"{event.id}"'
    assert answer.json() == event.data


async def test_who_has_the_order_as_it_is_is_not_sent_it_again(
    replica: Replica, other_replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    async with watching(replica.url, live_order(order)) as screen:
        await screen.next()

    async with watching(other_replica.url, live_order(order), last=screen.last) as again:
        assert (await again.next_part()).comment
        await store(replica.orders, closed(order))
        assert seen(await again.next()) == ("order", "closed", 2)


async def test_who_comes_back_to_an_order_that_has_changed_is_sent_it(
    replica: Replica, other_replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    async with watching(replica.url, live_order(order)) as screen:
        await screen.next()
    await store(replica.orders, closed(order))

    async with watching(other_replica.url, live_order(order), last=screen.last) as again:
        assert seen(await again.next()) == ("snapshot", "closed", 2)


@pytest.mark.parametrize("feed", ["one", "board", "active", "tables", "menu"])
async def test_what_is_not_known_is_refused(replica: Replica, restaurant: str, feed: str) -> None:
    order = an_order(restaurant="nowhere")
    path = {
        "one": live_order(order),
        "board": live_board("nowhere"),
        "active": live_orders("nowhere"),
        "tables": live_tables("nowhere"),
        "menu": live_menu("nowhere"),
    }
    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        answer = await query.get(path[feed])

    assert answer.status_code == 404
    assert answer.json()["code"] == ("unknown-order" if feed == "one" else "unknown-restaurant")


async def test_active_orders_are_shown_and_then_each_that_changes(
    replica: Replica, restaurant: str
) -> None:
    first, second, gone = (
        an_order(restaurant=restaurant, placed_at=after(number)) for number in range(3)
    )
    elsewhere = an_order()
    await store(replica.orders, placed(first), placed(gone))
    await store(replica.orders, closed(gone))

    async with watching(replica.url, live_orders(restaurant)) as screen:
        snapshot = await screen.next()
        await store(replica.orders, placed(elsewhere))
        await store(replica.orders, placed(second))
        new = await screen.next()
        await store(replica.orders, closed(first))
        left = await screen.next()

    assert snapshot.name == "snapshot"
    assert [each["order_id"] for each in snapshot.data["orders"]] == [str(first.order_id)]
    assert [new.name, new.data["order_id"]] == ["order", str(second.order_id)]
    assert [left.data["order_id"], left.data["status"]] == [str(first.order_id), "closed"]


async def test_a_restaurant_without_orders_has_an_empty_list(
    replica: Replica, restaurant: str
) -> None:
    async with watching(replica.url, live_orders(restaurant)) as screen:
        assert (await screen.next()).data == {"orders": []}


async def test_who_comes_back_to_another_replica_is_sent_just_what_was_missed(
    replica: Replica, other_replica: Replica, restaurant: str
) -> None:
    orders = [an_order(restaurant=restaurant) for _ in range(4)]
    await store(replica.orders, placed(orders[0]))
    async with watching(other_replica.url, live_orders(restaurant)) as stays:
        await stays.next()
        async with watching(replica.url, live_orders(restaurant)) as screen:
            await screen.next()
            await store(replica.orders, placed(orders[1]))
            await screen.next()
        await store(replica.orders, placed(orders[2]))
        await store(replica.orders, closed(orders[0]))
        told = [await stays.next() for _ in range(3)]

        async with watching(other_replica.url, live_orders(restaurant), last=screen.last) as again:
            missed = [await again.next() for _ in range(2)]
            await store(replica.orders, placed(orders[3]))
            new = await again.next()

    assert [(each.name, each.id, each.data) for each in missed] == [
        (each.name, each.id, each.data) for each in told[1:]
    ]
    assert new.data["order_id"] == str(orders[3].order_id)


@pytest.mark.parametrize(
    "last",
    [
        "0.1.1.0",
        "1.1.1.0",
        "1.4102444800.1.0",
        "2.1.1.0",
        "what?",
        "1.x.2.0",
        "1.1.1." + "1" * 5000,
    ],
)
async def test_who_comes_back_from_too_long_ago_or_elsewhere_begins_anew(
    replica: Replica, restaurant: str, last: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))

    async with watching(replica.url, live_orders(restaurant), last=last) as screen:
        event = await screen.next()

    assert (event.name, len(event.data["orders"])) == ("snapshot", 1)


async def test_the_board_is_shown_and_then_as_it_changes(replica: Replica, restaurant: str) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))

    async with watching(replica.url, live_board(restaurant)) as screen:
        snapshot = await screen.next()
        await store(replica.orders, ready(order))
        cooked = await screen.next()
        await store(replica.orders, closed(order))
        empty = await screen.next()
    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        answer = await query.get(live_board(restaurant).removesuffix("/live"))

    assert [each.name for each in (snapshot, cooked, empty)] == ["snapshot", "board", "board"]
    assert snapshot.data != cooked.data != empty.data
    assert answer.headers["ETag"] == f'"{empty.id}"'
    assert answer.json() == empty.data


async def test_the_tables_are_shown_and_then_as_they_change(
    replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, **at_table("7"))

    async with watching(replica.url, live_tables(restaurant)) as screen:
        empty = await screen.next()
        await store(replica.orders, placed(order))
        seated = await screen.next()
        await store(replica.orders, closed(order))
        left = await screen.next()
    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        answer = await query.get(live_tables(restaurant).removesuffix("/live"))
        again = await query.get(
            live_tables(restaurant).removesuffix("/live"),
            headers={"If-None-Match": answer.headers["ETag"]},
        )

    assert [each.name for each in (empty, seated, left)] == ["snapshot", "tables", "tables"]
    assert [each["table"] for each in seated.data["tables"]] == ["7"]
    assert left.data == empty.data == answer.json() == {"tables": []}
    assert answer.headers["ETag"] == f'"{left.id}"'
    assert (again.status_code, again.content) == (304, b"")


async def test_the_menu_is_shown_and_then_what_is_sold_out_dearer_or_renamed(
    replica: Replica, other_replica: Replica, restaurant: str
) -> None:
    def tea(version: int, **fields: Any) -> MenuView:
        return view_of(offered(restaurant, "tea", version=version, **fields))

    await replica.menus.merge_items([tea(1, price=300)])

    async with watching(replica.url, live_menu(restaurant)) as screen:
        snapshot = await screen.next()
        await replica.menus.merge_items([tea(2, price=300, available=False)])
        sold_out = await screen.next()
        await other_replica.menus.merge_items([tea(3, price=350)])
        dearer = await screen.next()
        renamed_to = opened(restaurant, version=2, name="Il Porto")
        await replica.menus.merge_restaurants([view_of(renamed_to)])
        renamed = await screen.next()
    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        answer = await query.get(live_menu(restaurant).removesuffix("/live"))

    events = [snapshot, sold_out, dearer, renamed]
    assert [each.name for each in events] == ["snapshot", "menu", "menu", "menu"]
    items = [each.data["items"][0] for each in events[:3]]
    assert [(each["price"], each["available"]) for each in items] == [
        (300, True),
        (300, False),
        (350, True),
    ]
    assert renamed.data["restaurant"]["name"] == "Il Porto"
    assert answer.json() == renamed.data
    assert answer.headers["ETag"] == f'"{renamed.id}"'
    async with watching(other_replica.url, live_menu(restaurant), last=screen.last) as again:
        assert (await again.next_part()).comment


async def test_who_has_the_board_as_it_is_is_not_sent_it_again(
    replica: Replica, other_replica: Replica, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    async with watching(replica.url, live_board(restaurant)) as screen:
        snapshot = await screen.next()

    async with watching(other_replica.url, live_board(restaurant), last=screen.last) as again:
        assert (await again.next_part()).comment
        await store(replica.orders, ready(order))
        assert (await again.next()).data != snapshot.data


@pytest.mark.parametrize("feed", ["one", "board", "active", "tables", "menu"])
async def test_while_nothing_happens_a_feed_says_that_it_is_alive(
    replica: Replica, restaurant: str, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_INTERVAL_S", 0.05)
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    path = {
        "one": live_order(order),
        "board": live_board(restaurant),
        "active": live_orders(restaurant),
        "tables": live_tables(restaurant),
        "menu": live_menu(restaurant),
    }

    async with watching(replica.url, path[feed]) as screen:
        await screen.next()
        comments = [await screen.next_part() for _ in range(2)]

    assert comments == [Event(comment="ping")] * 2


class HeldBack(ChangeListener):
    """Holds back what the next listeners are told, until it is let go."""

    def __init__(self) -> None:
        self.has_come, self.is_let_go = asyncio.Event(), asyncio.Event()

    async def on_batch(self, changes: Mapping[str, Position]) -> None:
        del changes
        self.has_come.set()
        await self.is_let_go.wait()


async def test_a_change_that_the_snapshot_has_is_not_told_again(
    replica: Replica, restaurant: str
) -> None:
    order, held = an_order(restaurant=restaurant), HeldBack()
    replica.changes._listeners.insert(0, held)
    with replica.changes.kept_open():
        await replica.changes.wait_until_open()
        await store(replica.orders, placed(order))
        await held.has_come.wait()

        async with watching(replica.url, live_orders(restaurant)) as screen:
            snapshot = await screen.next()
            held.is_let_go.set()
            await store(replica.orders, ready(order))
            then = await screen.next()

    assert [each["order_id"] for each in snapshot.data["orders"]] == [str(order.order_id)]
    assert seen(then) == ("order", "ready", 2)


class Finds(CommandListener):
    """Counts the questions of readers about orders that a client asks."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        is_about_orders = str(event.command.get("find", "")).startswith("orders")
        is_of_a_projector = "forgotten" in event.command.get("filter", {})
        self.count += is_about_orders and not is_of_a_projector

    def succeeded(self, event: object) -> None: ...
    def failed(self, event: object) -> None: ...


async def test_however_many_read_a_change_is_read_once(
    fresh_mongodb_url: str, restaurant: str
) -> None:
    finds, order = Finds(), an_order(restaurant=restaurant)
    async with a_replica(fresh_mongodb_url, finds) as replica, asyncio.TaskGroup() as tasks:
        await store(replica.orders, placed(order))
        begun = [asyncio.Event() for _ in range(40)]

        async def watch(number: int) -> Event:
            path = live_order(order) if number % 2 else live_orders(restaurant)
            async with watching(replica.url, path) as screen:
                await screen.next()
                begun[number].set()
                return await screen.next()

        watchers = [tasks.create_task(watch(number)) for number in range(len(begun))]
        for each in begun:
            await each.wait()
        before = finds.count
        await store(replica.orders, closed(order))
        events = [await each for each in watchers]
        asked = finds.count - before

    assert {event.data["status"] for event in events} == {"closed"}
    assert asked == 1


async def test_what_is_deleted_concerns_those_who_are_shown_it_and_nobody_else(
    fresh_mongodb_url: str, restaurant: str
) -> None:
    finds, other = Finds(), an_order()
    over = [an_order(restaurant=restaurant) for _ in range(50)]
    active = an_order(restaurant=restaurant)
    async with a_replica(fresh_mongodb_url, finds) as replica:
        await store(replica.orders, placed(active), placed(other))
        await store(replica.orders, *map(closed, over))
        collection = replica.generations.live.orders
        async with (
            watching(replica.url, live_orders(restaurant)) as screen,
            watching(replica.url, live_orders(other.restaurant)) as others,
            watching(replica.url, live_order(other)) as guest,
        ):
            for each in (screen, others, guest):
                await each.next()
            before = finds.count

            await collection.delete_many({"_id": {"$in": [str(each.order_id) for each in over]}})
            await collection.delete_one({"_id": str(active.order_id)})
            snapshot = await screen.next()
            asked = finds.count - before
            await store(replica.orders, closed(other))
            next_ones = [await others.next(), await guest.next()]

    assert (snapshot.name, snapshot.data) == ("snapshot", {"orders": []})
    assert [each.name for each in next_ones] == ["order", "order"]
    assert asked <= 4


async def test_a_reader_too_slow_is_sent_away_while_others_go_on(
    replica: Replica, restaurant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "READER_LAG_MAX_CHANGES", 10)
    before = too_slow()
    small = httpx.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    name = "x" * 100_000
    await store(replica.orders, placed(an_order(restaurant=restaurant)))
    async with (
        watching(replica.url, live_orders(restaurant), transport=small) as slow,
        watching(replica.url, live_orders(restaurant)) as quick,
    ):
        await slow.next()
        await quick.next()
        told = 0
        while too_slow() == before:
            await store(replica.orders, placed(an_order(restaurant=restaurant, customer=name)))
            assert (await quick.next()).name == "order"
            told += 1
        read = await slow.rest()

    assert len(read) < told


def too_slow() -> float:
    labels = {"feed": "orders"}
    return REGISTRY.get_sample_value("comanda_query_live_readers_too_slow_total", labels) or 0


async def test_a_reader_who_takes_nothing_is_left(
    replica: Replica, restaurant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "SEND_TIMEOUT_S", 0.2)
    small = httpx.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    order = an_order(restaurant=restaurant, customer="x" * 8_000_000)
    await store(replica.orders, placed(order))

    async with watching(replica.url, live_order(order), transport=small):
        await eventually(lambda: readers("order"), lambda number: number == 0)


async def readers(feed: str) -> float | None:
    return REGISTRY.get_sample_value("comanda_query_live_readers", {"feed": feed})


async def switch(replica: Replica, number: int) -> None:
    """Make this generation the live one, as a rebuild does."""
    pointer = {"_id": POINTER_ID, "live": number}
    await replica.database[POINTER_ID].replace_one({"_id": POINTER_ID}, pointer, upsert=True)
    await replica.generations.refresh()


def ready(order: Order) -> TicketEvent:
    return news_of(its_ticket(order, status=TicketStatus.READY))


async def test_another_generation_is_shown_anew_to_all(replica: Replica, restaurant: str) -> None:
    order = an_order(restaurant=restaurant)
    await store(replica.orders, placed(order))
    async with (
        watching(replica.url, live_order(order)) as one,
        watching(replica.url, live_orders(restaurant)) as active,
        watching(replica.url, live_board(restaurant)) as board,
    ):
        for screen in (one, active, board):
            await screen.next()
        second = MongoOrders(OneGeneration(replica.database, 2))
        await store(second, placed(order), ready(order))
        await switch(replica, 2)

        assert (await one.next()).data["status"] == "ready"
        anew = await active.next()
        assert (anew.name, anew.data["orders"][0]["status"]) == ("snapshot", "ready")
        assert anew.id.startswith("2.")
        assert (await board.next()).name == "board"
        await store(replica.orders, closed(order))
        assert (await one.next()).data["status"] == "closed"
        assert (await active.next()).data["status"] == "closed"


async def test_a_list_that_takes_the_store_too_long_is_refused(
    replica: Replica, restaurant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = document(order_view_of(placed(an_order(restaurant=restaurant))))
    many = [{**shown, "_id": str(number)} for number in range(4000)]
    await replica.database["orders-1"].insert_many(many)
    monkeypatch.setattr(feeds, "LIST_TIME_MS_MAX", 1)

    async with httpx.AsyncClient(base_url=replica.url, headers=bearer()) as query:
        refused = await query.get(live_orders(restaurant))

    assert (refused.status_code, refused.json()["code"]) == (503, "too-slow")


async def test_a_list_that_has_become_too_slow_is_ended_and_others_are_told_of_changes(
    replica: Replica, restaurant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order(restaurant=f"{restaurant}-b")
    await replica.menus.merge_restaurants([view_of(opened(order.restaurant))])
    read = MongoLiveOrders._active

    async def too_slow_for_one(self: MongoLiveOrders, of: str) -> LiveUpdate:
        if of == restaurant:
            raise TooSlow("it has become long")
        return await read(self, of)

    async with (
        watching(replica.url, live_orders(restaurant)) as slow,
        watching(replica.url, live_orders(order.restaurant)) as other,
    ):
        for screen in (slow, other):
            await screen.next()
        monkeypatch.setattr(MongoLiveOrders, "_active", too_slow_for_one)
        await switch(replica, 2)

        assert (await other.next()).name == "snapshot"
        assert await slow.rest() == []
        await store(replica.orders, placed(order))
        assert (await other.next()).data["status"] == "placed"


async def test_feeds_go_on_after_mongodb_was_killed(own_mongodb: MongoDB, restaurant: str) -> None:
    order = an_order(restaurant=restaurant)
    async with a_replica(own_mongodb.url) as replica:
        await replica.menus.merge_restaurants([view_of(opened(restaurant))])
        await store(replica.orders, placed(order))
        async with (
            watching(replica.url, live_order(order)) as one,
            watching(replica.url, live_orders(restaurant)) as active,
            watching(replica.url, live_board(restaurant)) as board,
        ):
            for screen in (one, active, board):
                await screen.next()
            await asyncio.to_thread(own_mongodb.kill)
            await asyncio.to_thread(own_mongodb.start)
            await eventually(lambda: is_stored(replica, closed(order)), bool)

            assert (await one.next()).data["status"] == "closed"
            assert (await board.next()).data == {"preparing": [], "ready": []}
            while (event := await active.next()).name == "snapshot" and event.data["orders"]:
                pass
            assert event.name == "snapshot" or event.data["status"] == "closed"


async def test_feeds_that_are_asked_for_while_mongodb_is_away_begin_once_it_is_back(
    own_mongodb: MongoDB, restaurant: str
) -> None:
    order, unknown = an_order(restaurant=restaurant), an_order(restaurant=restaurant)
    async with a_replica(own_mongodb.url) as replica:
        await replica.menus.merge_restaurants([view_of(opened(restaurant))])
        await store(replica.orders, placed(order))
        await asyncio.to_thread(own_mongodb.kill)
        async with (
            watching(replica.url, live_order(order)) as one,
            watching(replica.url, live_orders(restaurant)) as active,
            watching(replica.url, live_board(restaurant)) as board,
            watching(replica.url, live_menu(restaurant)) as menu,
            watching(replica.url, live_order(unknown)) as nothing,
        ):
            for screen in (one, active, board, menu, nothing):
                assert screen.response.status_code == 200
                assert (await screen.next_part()).comment
            await asyncio.to_thread(own_mongodb.start)

            for screen in (one, active, board, menu):
                assert (await screen.next()).name == "snapshot"
            assert await nothing.rest() == []


async def is_stored(replica: Replica, event: OrderEvent) -> bool:
    try:
        await store(replica.orders, event)
    except StoreUnavailable:
        return False
    return True
