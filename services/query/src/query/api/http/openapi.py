"""Examples of answers and refusals for the API's documentation.

They are made of the contracts' own events, by the functions that make the real answers.
"""

from datetime import timedelta
from functools import reduce
from typing import Any

import orjson
from comanda_contracts import (
    MenuItemSet,
    OrderPlaced,
    RestaurantSet,
    TicketEvent,
    TicketQueued,
    TicketReady,
    TicketServed,
    TicketStarted,
    examples,
)
from service_kit.http.feed_budget import too_many_feeds
from service_kit.http.feed_documents import Feeds
from service_kit.http.openapi import Examples
from service_kit.http.problems import invalid_request, problem_responses
from service_kit.http.sse import event, events

from query.api.http import schema
from query.api.http.cursors import encode_cursor, expired
from query.api.http.responses import (
    all_behind,
    as_json,
    behind,
    body_of,
    damaged_view,
    forbidden_restaurant,
    order_as_json,
    store_unavailable,
    too_slow,
    unknown_order,
    unknown_restaurant,
)
from query.views import menu
from query.views.board.view import board_of
from query.views.board.wait import wait_for
from query.views.merge import Document
from query.views.orders import view as order
from query.views.orders.list_query import ListQuery, PagePosition, milliseconds
from query.views.orders.presentation import present_listed_order, present_order, present_timeline
from query.views.orders.tables import occupied_tables
from query.views.sales.chain import RestaurantSales, chain_report
from query.views.sales.report import By, sales_report
from query.views.sales.view import Period, Sales, SalesSummary

ORDER_ID = str(examples.ORDER_ID)
RESTAURANT = examples.ORDER.restaurant
NUMBER = examples.ORDER.number
DAY = examples.ORDER.business_day.isoformat()
CATEGORIES = {examples.ITEM.sku: examples.ITEM.category, "insalata-mista": "Insalate"}
NOW = examples.TAKEAWAY.placed_at + timedelta(minutes=1)
"""The time of the request: the order of table 12 is ready, and a takeaway order has come."""
PREPARATIONS = [[examples.AT.timestamp() - 90 * each, 480 + 30 * each, 60] for each in range(6)]
"""The latest rounds before, as `Sales.preparations` has them."""


def _after(*happened: type[OrderPlaced] | type[TicketEvent]) -> Document:
    """The order of table 12, as it is after these events."""
    views = (order.view_of(each) for each in examples.EXAMPLES if isinstance(each, happened))
    return order.document(reduce(order.merge, views))


_COOKED = _after(OrderPlaced, TicketQueued, TicketStarted, TicketReady)
_SERVED = _after(OrderPlaced, TicketQueued, TicketStarted, TicketReady, TicketServed)
_TAKEAWAY = order.document(order.view_of(OrderPlaced(at=NOW, order=examples.TAKEAWAY)))
_SALES = Sales.of([_SERVED, _TAKEAWAY])
_AS_OF = {"as_of": NOW}
_DAY_FIELDS = {"restaurant": RESTAURANT, "currency": _SALES.currency}
_LAST = PagePosition(milliseconds(_COOKED["order"]["placed_at"]), ORDER_ID)

CURSOR = encode_cursor(_LAST, ListQuery(RESTAURANT))
BOARD = board_of([_COOKED, _TAKEAWAY], PREPARATIONS, NOW)
WAIT = wait_for(str(examples.TAKEAWAY.order_id), BOARD["preparing"][0], NOW)
TAG = f'"{body_of(present_order(_COOKED)).tag}"'


def _sales(by: By | None) -> Any:
    start = _COOKED["order"]["placed_at"].replace(minute=0, second=0, microsecond=0)
    shown = sales_report(SalesSummary([Period(DAY, start, _SALES)], NOW), by, CATEGORIES)
    return {
        "restaurant": RESTAURANT,
        "bounds": "days",
        "from": DAY,
        "to": DAY,
        "by": by,
        **shown,
    }


def _menu() -> Any:
    [venue] = [menu.view_of(each) for each in examples.EXAMPLES if isinstance(each, RestaurantSet)]
    items = [menu.view_of(each) for each in examples.EXAMPLES if isinstance(each, MenuItemSet)]
    return {"restaurant": venue.state, "items": [each.state for each in items]}


def _as_sent(**shown: Any) -> dict[str, Any]:
    return {name: orjson.loads(as_json(each)) for name, each in shown.items()}


ANSWERS: Examples = {
    schema.OrderView: _as_sent(ready=present_order(_COOKED)),
    schema.Timeline: _as_sent(
        ready={"order_id": ORDER_ID, "entries": present_timeline(_COOKED)},
    ),
    schema.OrderList: _as_sent(
        newest={
            "orders": [present_listed_order(_TAKEAWAY), present_listed_order(_COOKED)],
            "next": CURSOR,
        }
    ),
    schema.TableList: _as_sent(occupied={"tables": occupied_tables([_COOKED])}),
    schema.Board: _as_sent(busy=BOARD),
    schema.OrderWait: _as_sent(queued=WAIT),
    schema.Menu: _as_sent(offered=_menu()),
    schema.RestaurantList: _as_sent(one={"restaurants": [_menu()["restaurant"]], "next": None}),
    schema.ChainSales: _as_sent(
        day={
            "from": DAY,
            "to": DAY,
            **_AS_OF,
            "currencies": chain_report(
                [RestaurantSales(RESTAURANT, "EUR", _SALES.total.revenue, _SALES.total.orders)],
                {RESTAURANT: _menu()["restaurant"]},
            ),
        }
    ),
    schema.SalesReport: _as_sent(total=_sales(None), **{f"by {by}": _sales(by) for by in By}),
    schema.TopItems: _as_sent(
        best={**_DAY_FIELDS, "day": DAY, **_AS_OF, "items": _SALES.document()["items"]}
    ),
}
"""By the model of the response."""

_INVALID = invalid_request(
    [
        {
            "loc": ("query", "limit"),
            "type": "int",
            "msg": "Input should be less than or equal to 500",
        }
    ],
    None,
)
_NO_ORDER = unknown_order(RESTAURANT, ORDER_ID)
_NO_RESTAURANT = unknown_restaurant("la-pizza")
_BEHIND = {"order_id": ORDER_ID, "version": 1, "wanted": 2}

_READ = (_INVALID, store_unavailable())

ORDER_REFUSALS = problem_responses(*_READ, _NO_ORDER, behind(1, 2), damaged_view(ORDER_ID))
SEVERAL_ORDERS_REFUSALS = problem_responses(
    *_READ, _NO_RESTAURANT, all_behind([_BEHIND]), too_slow()
)
PAGE_REFUSALS = problem_responses(
    *_READ, _NO_RESTAURANT, all_behind([_BEHIND]), expired(), too_slow()
)
RESTAURANT_REFUSALS = problem_responses(*_READ, _NO_RESTAURANT)
RESTAURANT_LIST_REFUSALS = problem_responses(*_READ, too_slow())
CHAIN_REFUSALS = problem_responses(
    *_READ, _NO_RESTAURANT, too_slow(), forbidden_restaurant(RESTAURANT)
)
SALES_REFUSALS = problem_responses(*_READ, _NO_RESTAURANT, too_slow())
_FEED = (_INVALID, too_many_feeds(429), too_many_feeds(503), too_slow())
LIVE_REFUSALS = problem_responses(*_FEED, _NO_RESTAURANT, damaged_view(ORDER_ID))
LIVE_ORDER_REFUSALS = problem_responses(*_FEED, _NO_ORDER, damaged_view(ORDER_ID))
"""The refusals of one order, several, a page of them, a restaurant, its sales, and live feeds."""

TAGS = {
    "Orders": "Orders with their tickets, one or many.",
    "Restaurants": "What a whole restaurant shows: its board, its tables and its menu.",
    "Sales": "What was sold, from sums that are kept ready.",
    "Feeds": "What changes, pushed as it changes.",
}

LIVE_ORDER_RESPONSES = events(
    "OrderEvent", event("snapshot", order_as_json(_COOKED), body_of(present_order(_COOKED)).tag)
)
LIVE_WAIT_RESPONSES = events("WaitEvent", event("snapshot", as_json(WAIT), body_of(WAIT).tag))
LIVE_BOARD_RESPONSES = events("BoardEvent", event("snapshot", as_json(BOARD), body_of(BOARD).tag))
TABLES, MENU = {"tables": occupied_tables([_COOKED])}, _menu()
LIVE_TABLES_RESPONSES = events(
    "TablesEvent", event("snapshot", as_json(TABLES), body_of(TABLES).tag)
)
LIVE_MENU_RESPONSES = events("MenuEvent", event("snapshot", as_json(MENU), body_of(MENU).tag))
LIVE_ORDERS_RESPONSES = events(
    "OrdersEvent",
    event("snapshot", as_json({"orders": [present_order(_COOKED)]}), "1.1795491006.11.0"),
    event("order", order_as_json(_TAKEAWAY), "1.1795491009.2.0"),
)

FEEDS: Feeds = {
    "OrdersEvent": {"snapshot": schema.ActiveOrders, "order": schema.OrderView},
    "OrderEvent": {"snapshot": schema.OrderView, "order": schema.OrderView},
    "WaitEvent": {"snapshot": schema.OrderWait, "wait": schema.OrderWait},
    "BoardEvent": {"snapshot": schema.Board, "board": schema.Board},
    "TablesEvent": {"snapshot": schema.TableList, "tables": schema.TableList},
    "MenuEvent": {"snapshot": schema.Menu, "menu": schema.Menu},
}
"""The data of each feed's events."""
