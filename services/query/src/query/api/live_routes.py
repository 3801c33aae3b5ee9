"""Live feeds as Server-Sent Events: orders, the board, the tables and the menu."""

# decision/0018: live feeds that send whole states are resumed by comparing states

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import Gauge
from service_kit.http import live_feed as live
from service_kit.http.feed_budget import FeedBudget
from service_kit.http.problems import ProblemError
from service_kit.http.sse import Event, EventStream, event_of_pieces

from query.api.http import needed
from query.api.http.guests import is_asked_by_guest
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import (
    LIVE_BOARD_RESPONSES,
    LIVE_MENU_RESPONSES,
    LIVE_ORDER_REFUSALS,
    LIVE_ORDER_RESPONSES,
    LIVE_ORDERS_RESPONSES,
    LIVE_REFUSALS,
    LIVE_TABLES_RESPONSES,
    LIVE_WAIT_RESPONSES,
)
from query.api.http.parameters import PREFIX, OrderId, Slug
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import (
    Body,
    body_of_json,
    from_store,
    order_json_for_guest,
    store_unavailable,
    unknown_order,
)
from query.api.orders.routes import OrderReader
from query.api.orders.wait_routes import wait_as_json
from query.views.ports import DamagedView, LiveOrders, Menus, StoreUnavailable, TooSlow

RETRY_INTERVAL_S = 1.0
"""After which a board, tables or a menu are read again that could not be read, or whose changes are
not told."""

CACHED_READERS = {
    "board": Gauge("comanda_query_live_boards", "Readers of live boards"),
    "wait": Gauge("comanda_query_live_waits", "Readers of one order's live wait"),
    "tables": Gauge("comanda_query_live_tables", "Readers of live tables"),
    "menu": Gauge("comanda_query_live_menus", "Readers of live menus"),
}
"""By what the feed's events after the first are called."""

Events = AsyncGenerator[Event | None]
"""Events on the wire; None is a heartbeat."""

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="the `id` of the last event that was received",
        examples=["1.1795491006.11.0"],
    ),
]


class CachedFeeds(NamedTuple):
    """The caches of what feeds show whole, and what has changes of menus told while one is read."""

    boards: ResponseCache
    tables: ResponseCache
    menus: ResponseCache
    menu_changes_kept_open: Callable[[], AbstractContextManager[None]]


def live_routes(
    orders: LiveOrders, order: OrderReader, cached: CachedFeeds, menus: Menus
) -> APIRouter:
    """Routes that send what changes, as it changes."""
    router = APIRouter(prefix=PREFIX, tags=["Feeds"])
    feeds = FeedBudget()

    @router.get(
        "/orders/live",
        operation_id="followOrders",
        response_class=StreamingResponse,
        responses=LIVE_ORDERS_RESPONSES | LIVE_REFUSALS,
        dependencies=[needed.ORDERS],
    )
    async def live_orders(restaurant: Slug, last_event_id: LastEventId = None) -> Response:
        """The active orders (`snapshot`), then each order that changes (`order`).

        An order whose status is `closed` or `cancelled` leaves the list with that. A client that
        comes back is sent what it missed, or a new `snapshot` if that is not known any more.
        """
        begin = partial(_orders_events, orders, menus, restaurant, last_event_id)
        return await _stream(feeds, restaurant, begin)

    @router.get(
        "/orders/{order_id}/live",
        operation_id="followOrder",
        response_class=StreamingResponse,
        responses=LIVE_ORDER_RESPONSES | LIVE_ORDER_REFUSALS,
        dependencies=[needed.OWN_ORDER],
    )
    async def live_order(
        request: Request, restaurant: Slug, order_id: OrderId, last_event_id: LastEventId = None
    ) -> Response:
        """The order as it is (`snapshot`), and whenever it has changed (`order`)."""
        is_guest = is_asked_by_guest(request, restaurant, str(order_id))
        show = order_json_for_guest if is_guest else None
        begin = partial(_order_events, orders, restaurant, order_id, last_event_id, show)
        return await _stream(feeds, restaurant, begin, of_guest=is_guest)

    @router.get(
        "/orders/{order_id}/wait/live",
        operation_id="followOrderWait",
        response_class=StreamingResponse,
        responses=LIVE_WAIT_RESPONSES | LIVE_ORDER_REFUSALS,
        dependencies=[needed.OWN_ORDER],
    )
    async def live_wait(
        request: Request, restaurant: Slug, order_id: OrderId, last_event_id: LastEventId = None
    ) -> Response:
        """How long the order has to wait (`snapshot`), and whenever that has changed (`wait`)."""
        is_guest = is_asked_by_guest(request, restaurant, str(order_id))
        begin = partial(
            _wait_events, order, cached.boards, restaurant, str(order_id), last_event_id, is_guest
        )
        return await _stream(feeds, restaurant, begin, of_guest=is_guest)

    @router.get(
        "/board/live",
        operation_id="followBoard",
        response_class=StreamingResponse,
        responses=LIVE_BOARD_RESPONSES | LIVE_REFUSALS,
        dependencies=[needed.BOARD],
    )
    async def live_board(restaurant: Slug, last_event_id: LastEventId = None) -> Response:
        """The board as it is (`snapshot`), and whenever it has changed (`board`)."""
        begin = partial(_cached_events, "board", cached.boards, restaurant, last_event_id)
        return await _stream(feeds, restaurant, begin)

    @router.get(
        "/tables/live",
        operation_id="followTables",
        response_class=StreamingResponse,
        responses=LIVE_TABLES_RESPONSES | LIVE_REFUSALS,
        dependencies=[needed.ORDERS],
    )
    async def live_tables(restaurant: Slug, last_event_id: LastEventId = None) -> Response:
        """The occupied tables (`snapshot`), and whenever something of them changes (`tables`)."""
        begin = partial(_cached_events, "tables", cached.tables, restaurant, last_event_id)
        return await _stream(feeds, restaurant, begin)

    @router.get(
        "/menu/live",
        operation_id="followMenu",
        response_class=StreamingResponse,
        responses=LIVE_MENU_RESPONSES | LIVE_REFUSALS,
        dependencies=[needed.MENU],
    )
    async def live_menu(restaurant: Slug, last_event_id: LastEventId = None) -> Response:
        """The menu as it is (`snapshot`), and whenever it has changed (`menu`).

        An item that is sold out is on it, and not `available`.
        """
        show = partial(_cached_events, kept_open=cached.menu_changes_kept_open)
        begin = partial(show, "menu", cached.menus, restaurant, last_event_id)
        return await _stream(feeds, restaurant, begin)

    return router


async def _stream(
    feeds: FeedBudget, restaurant: str, begin: Callable[[], Events], *, of_guest: bool = False
) -> Response:
    """The stream, once its first event is there: a refusal comes as a response of its own.

    While the store is away the stream begins all the same, and is silent.
    """
    begun = _until_refused(live.once_possible(begin, _is_away))
    events = feeds.counted(restaurant, begun, of_guest=of_guest)
    return EventStream(events, await from_store(anext(events, None)))


async def _until_refused(events: Events) -> Events:
    """The events; what would refuse the feed ends it once it has begun, if only with silence."""
    has_begun = False
    try:
        async with contextlib.aclosing(events):
            async for each in events:
                yield each
                has_begun = True
                del each  # it may be long until the next
    except (ProblemError, DamagedView, TooSlow):
        if not has_begun:
            raise


def _is_away(error: Exception) -> bool:
    """Whether the store will be there again, rather than the feed be refused.

    What takes the store too long would do so the next time, and hold up other feeds each time.
    """
    if isinstance(error, ProblemError):
        return error.code == store_unavailable().code
    return isinstance(error, StoreUnavailable) and not isinstance(error, TooSlow)


async def _orders_events(
    orders: LiveOrders, menus: Menus, restaurant: str, last: str | None
) -> Events:
    has_begun = False
    async with orders.active(restaurant, last) as feed:
        async for update in feed:
            if not has_begun and (update is None or not update.orders):
                await known_restaurant(menus, restaurant)
            has_begun = True
            if update is None:
                yield None
            elif update.is_snapshot:
                yield event_of_pieces("snapshot", _listed(update.orders), update.position)
            else:
                yield event_of_pieces("order", update.orders, update.position)
            del update  # it may be long until the next


def _listed(orders: Sequence[bytes]) -> list[bytes]:
    """The list of orders as JSON, in pieces that all its readers share."""
    separated = [piece for order in orders for piece in (b",", order)]
    return [b'{"orders":[', *separated[1:], b"]}"]


async def _order_events(
    orders: LiveOrders,
    restaurant: str,
    order_id: UUID,
    last: str | None,
    show: Callable[[bytes], bytes] | None,
) -> Events:
    """Its events' ids are tags of their content: a client is not sent again what it has.

    `show` makes of an order's JSON what the client is shown; without it all is.
    """
    name = "snapshot"
    async with orders.order(restaurant, str(order_id)) as feed:
        async for update in feed:
            if update is None:
                yield None
                continue
            if not update.orders and name == "snapshot":
                raise unknown_order(restaurant, str(order_id))
            if not update.orders:
                return
            body = body_of_json(show(update.orders[0]) if show else update.orders[0])
            if body.tag != last:
                yield event_of_pieces(name, [body.json], body.tag)
            elif name == "snapshot":
                yield None
            name, last = "order", body.tag
            del update, body


async def _wait_events(
    order: OrderReader,
    boards: ResponseCache,
    restaurant: str,
    order_id: str,
    last: str | None,
    is_guest: bool,
) -> Events:
    """Of an order that there is. Raises ProblemError (404) if there is none."""
    await order.by_id(restaurant, order_id, None, is_guest=is_guest)
    show = partial(wait_as_json, order_id)
    async with contextlib.aclosing(
        _cached_events("wait", boards, restaurant, last, show=show)
    ) as waits:
        async for each in waits:
            yield each
            del each


async def _cached_events(
    change: str,
    cache: ResponseCache,
    restaurant: str,
    last: str | None,
    kept_open: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    show: Callable[[bytes], bytes] | None = None,
) -> Events:
    """As `_order_events`; a client that does not keep up misses states, but never the newest.

    An event after the first is called `change`. `kept_open` has changes told to the cache. `show`
    makes of the cached JSON what the client is shown; without it all is.
    """
    clock = asyncio.get_running_loop().time
    name, spoke = "snapshot", clock()
    with CACHED_READERS[change].track_inprogress(), kept_open():
        while not cache.is_closed:
            try:
                shown = await cache.get(restaurant)
                if not shown.body.is_current:  # a feed never says anything older
                    raise store_unavailable()
            except ProblemError as error:
                if name == "snapshot":
                    raise
                if error.status == HTTPStatus.NOT_FOUND:
                    return
                shown = None
            body = _shown_of(shown.body, show) if shown else None
            if body and body.tag != last:
                yield event_of_pieces(name, [body.json], body.tag)
                name, last, spoke = change, body.tag, clock()
            elif name == "snapshot" or clock() - spoke >= live.HEARTBEAT_INTERVAL_S:
                yield None
                name, spoke = change, clock()
            if shown and shown.is_kept:
                await shown.wait_until_stale(live.HEARTBEAT_INTERVAL_S)
            else:
                await asyncio.sleep(RETRY_INTERVAL_S)


def _shown_of(body: Body, show: Callable[[bytes], bytes] | None) -> Body:
    return body_of_json(show(body.json)) if show else body
