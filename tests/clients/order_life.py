"""An order's life, through the clients that openapi-python-client made, and nothing else of ours.

It runs in the generators' environment, against the services whose URLs it is told, and prints what
it saw as JSON.
"""

import json
import os
import time
from collections.abc import Callable
from typing import TypeVar

from ordering_api import AuthenticatedClient as Ordering
from ordering_api.api.menu import set_menu_item
from ordering_api.api.orders import cancel_order, close_order, place_order
from ordering_api.api.restaurants import set_restaurant
from ordering_api.models.cancellation_request import CancellationRequest
from ordering_api.models.dine_in_order_request import DineInOrderRequest
from ordering_api.models.menu_item import MenuItem
from ordering_api.models.menu_item_body import MenuItemBody
from ordering_api.models.order import Order
from ordering_api.models.problem import Problem
from ordering_api.models.requested_line import RequestedLine
from ordering_api.models.restaurant import Restaurant
from ordering_api.models.restaurant_body import RestaurantBody
from ordering_api.models.takeaway_order_request import TakeawayOrderRequest
from query_api import AuthenticatedClient as Query
from query_api.api.orders import list_orders
from query_api.api.sales import get_sales
from query_api.models.day_report import DayReport
from query_api.models.get_sales_by import GetSalesBy
from query_api.models.order_list import OrderList
from serving_api import AuthenticatedClient as Serving
from serving_api.api.tickets import get_ticket, mark_ticket_ready, serve_ticket, start_ticket
from serving_api.models.ticket import Ticket

PATIENCE_S = 60.0
SLUG = os.environ["RESTAURANT"]
TOKEN = os.environ["TOKEN"]

Answer = TypeVar("Answer")


def expect(kind: type[Answer], answer: object) -> Answer:
    """The answer, which has to be of this kind."""
    if not isinstance(answer, kind):
        raise TypeError(f"no {kind.__name__}, but {answer}")
    return answer


def until(ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ask():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come in time")
        time.sleep(0.05)


ordering = Ordering(os.environ["ORDERING"], TOKEN, raise_on_unexpected_status=True)
serving = Serving(os.environ["SERVING"], TOKEN, raise_on_unexpected_status=True)
query = Query(os.environ["QUERY"], TOKEN, raise_on_unexpected_status=True)


def listed() -> dict[str, str]:
    """The status of each order, by its number."""
    orders = expect(OrderList, list_orders.sync(SLUG, client=query)).orders
    return {order.number: order.status for order in orders}


venue = RestaurantBody(name="La Piazza", currency="EUR", time_zone="Europe/Rome")
expect(Restaurant, set_restaurant.sync(SLUG, client=ordering, body=venue))
pizza = MenuItemBody(name="Margherita", category="Pizza", price=850)
expect(MenuItem, set_menu_item.sync(SLUG, "margherita", client=ordering, body=pizza))

unknown = TakeawayOrderRequest([RequestedLine("unicorn", quantity=1)], "takeaway", "Ada")
refused = expect(Problem, place_order.sync(SLUG, client=ordering, body=unknown))

dinner = DineInOrderRequest([RequestedLine("margherita", 2)], "dine_in", table="12", guests=2)
placed = expect(Order, place_order.sync(SLUG, client=ordering, body=dinner))
until(lambda: isinstance(get_ticket.sync(SLUG, placed.order_id, 1, client=serving), Ticket))
started = expect(Ticket, start_ticket.sync(SLUG, placed.order_id, 1, client=serving))
ready = expect(Ticket, mark_ticket_ready.sync(SLUG, placed.order_id, 1, client=serving))
served = expect(Ticket, serve_ticket.sync(SLUG, placed.order_id, 1, client=serving))
until(
    lambda: isinstance(close_order.sync(SLUG, placed.order_id, client=ordering), Order)
)  # refused until ordering has heard from the kitchen

fetched = TakeawayOrderRequest([RequestedLine("margherita", quantity=1)], "takeaway", "Ada")
second = expect(Order, place_order.sync(SLUG, client=ordering, body=fetched))
why = CancellationRequest(reason="the guest left")
expect(Order, cancel_order.sync(SLUG, second.order_id, client=ordering, body=why))
ended = {placed.number: "closed", second.number: "cancelled"}
until(lambda: listed() == ended)

day = placed.business_day


def sales() -> DayReport:
    answer = get_sales.sync(
        SLUG, client=query, from_=day, to=second.business_day, by=GetSalesBy.DAY
    )
    return expect(DayReport, answer)


until(lambda: sales().totals.orders == 1)
print(
    json.dumps(
        {
            "refused": [refused.status, refused.code],
            "kitchen": [started.status, ready.status, served.status],
            "listed": listed(),
            "sold": sum(each.revenue for each in sales().groups),
        }
    )
)
