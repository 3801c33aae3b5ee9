"""What the API's documentation shows of answers and refusals.

Examples are made of the contracts' own events, by the functions that make the real answers.
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
from service_kit.http.openapi_examples import Examples
from service_kit.http.problems import invalid_request, problem_responses
from service_kit.http.sse import event, events

from query.api.http import schema
from query.api.http.cursors import cursor_at, expired
from query.api.http.responses import (
    all_behind,
    as_json,
    away,
    behind,
    body,
    order_json,
    unknown_order,
    unknown_restaurant,
)
from query.views import menu
from query.views.board.view import board_of
from query.views.merge import Document
from query.views.orders import view as order
from query.views.orders.list_query import Listing, Place, milliseconds
from query.views.orders.response import listed_order, shown_order, shown_timeline
from query.views.orders.tables import occupied_tables
from query.views.sales.report import By, shown_sales
from query.views.sales.view import Kept, Period, Sales

ORDER_ID = str(examples.ORDER_ID)
RESTAURANT = examples.ORDER.restaurant
NUMBER = examples.ORDER.number
DAY = examples.ORDER.business_day.isoformat()
CATEGORIES = {examples.ITEM.sku: examples.ITEM.category, "insalata-mista": "Insalate"}
NOW = examples.TAKEAWAY.placed_at + timedelta(minutes=1)
"""When somebody asks: the order of table 12 is ready, and a takeaway order has come."""
MADE = [[examples.AT.timestamp() - 90 * each, 480 + 30 * each, 60] for each in range(6)]
"""The latest rounds before, as `Sales.made` has them."""


def _after(*happened: type[OrderPlaced] | type[TicketEvent]) -> Document:
    """The order of table 12, as it is after these events."""
    views = (order.view_of(each) for each in examples.EXAMPLES if isinstance(each, happened))
    return order.document(reduce(order.merge, views))


_COOKED = _after(OrderPlaced, TicketQueued, TicketStarted, TicketReady)
_SERVED = _after(OrderPlaced, TicketQueued, TicketStarted, TicketReady, TicketServed)
_TAKEAWAY = order.document(order.view_of(OrderPlaced(at=NOW, order=examples.TAKEAWAY)))
_SALES = Sales.of([_SERVED, _TAKEAWAY])
_AS_OF = {"as_of": NOW}
_OF_THE_DAY = {"restaurant": RESTAURANT, "currency": _SALES.currency}
_LAST = Place(milliseconds(_COOKED["order"]["placed_at"]), ORDER_ID)

CURSOR = cursor_at(_LAST, Listing(RESTAURANT))
BOARD = board_of([_COOKED, _TAKEAWAY], MADE, NOW)
TAG = f'"{body(shown_order(_COOKED)).tag}"'


def _sales(by: By | None) -> Any:
    start = _COOKED["order"]["placed_at"].replace(minute=0, second=0, microsecond=0)
    shown = shown_sales(Kept([Period(DAY, start, _SALES)], NOW), by, CATEGORIES)
    return {"restaurant": RESTAURANT, "from": DAY, "to": DAY, "by": by, **shown}


def _menu() -> Any:
    [venue] = [menu.view_of(each) for each in examples.EXAMPLES if isinstance(each, RestaurantSet)]
    items = [menu.view_of(each) for each in examples.EXAMPLES if isinstance(each, MenuItemSet)]
    return {"restaurant": venue.state, "items": [each.state for each in items]}


def _as_sent(**shown: Any) -> dict[str, Any]:
    return {name: orjson.loads(as_json(each)) for name, each in shown.items()}


ANSWERS: Examples = {
    schema.OrderView: _as_sent(ready=shown_order(_COOKED)),
    schema.Timeline: _as_sent(
        ready={"order_id": ORDER_ID, "timeline": shown_timeline(_COOKED)},
    ),
    schema.OrderList: _as_sent(
        newest={"orders": [listed_order(_TAKEAWAY), listed_order(_COOKED)], "next": CURSOR}
    ),
    schema.TableList: _as_sent(occupied={"tables": occupied_tables([_COOKED])}),
    schema.Board: _as_sent(busy=BOARD),
    schema.Menu: _as_sent(offered=_menu()),
    schema.SalesReport: _as_sent(total=_sales(None), **{f"by {by}": _sales(by) for by in By}),
    schema.TopItems: _as_sent(
        best={**_OF_THE_DAY, "day": DAY, **_AS_OF, "items": _SALES.document()["items"]}
    ),
}
"""By the model of the answer."""

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

OF_ONE_ORDER = problem_responses(_NO_ORDER, _INVALID, behind(1, 2), away())
OF_MANY_ORDERS = problem_responses(_NO_RESTAURANT, _INVALID, all_behind([_BEHIND]), away())
OF_A_RESTAURANT = problem_responses(_NO_RESTAURANT, _INVALID, away())
OF_A_PAGE = problem_responses(expired())
LIVE = problem_responses(_NO_RESTAURANT, _NO_ORDER, _INVALID, away())
"""The refusals of routes, by what they are about."""

LIVE_ORDER = events(event("snapshot", order_json(_COOKED), body(shown_order(_COOKED)).tag))
LIVE_BOARD = events(event("snapshot", as_json(BOARD), body(BOARD).tag))
LIVE_ORDERS = events(
    event("snapshot", as_json({"orders": [shown_order(_COOKED)]}), "1.1795491006.11.0"),
    event("order", order_json(_TAKEAWAY), "1.1795491009.2.0"),
)
