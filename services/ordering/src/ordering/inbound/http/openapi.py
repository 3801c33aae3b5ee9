"""Examples of bodies, and the refusals of routes, for the API's documentation."""

from collections.abc import Mapping
from typing import Any

import comanda_contracts as contracts
from comanda_contracts import examples
from comanda_contracts.commands import (
    CancellationRequest,
    DineInOrderRequest,
    RoundRequest,
    TakeawayOrderRequest,
)
from pydantic import BaseModel
from service_kit.access.guests import GUEST_TOKEN_HEADER
from service_kit.http.openapi import Examples
from service_kit.http.problems import (
    invalid_request,
    malformed_json,
    problem_responses,
    unsupported_media_type,
)
from service_kit.http.response_headers import sent_with

from ordering.application.keyed_request import KeyReused
from ordering.contract import DayClosingState, closing_to_contract
from ordering.domain import refusals
from ordering.domain.access import WITHDRAWN_SUBJECTS_MAX
from ordering.domain.day_closing import END_OF_DAY, DayClosing
from ordering.domain.order import MAX_LINES
from ordering.domain.restaurant import ONE_DAY
from ordering.inbound.bodies import (
    DayClosingBody,
    MenuAnswer,
    MenuItemBody,
    ReasonBody,
    RestaurantBody,
)
from ordering.inbound.refusals import store_unavailable, to_problem

ORDER, ITEM, RESTAURANT = examples.ORDER, examples.ITEM, examples.RESTAURANT
CLOSED = next(each.order for each in examples.EXAMPLES if isinstance(each, contracts.OrderClosed))
ORDER_ID = str(examples.ORDER_ID)
ACTOR = "Luigi"
KEY = "till-3/2026-05-04/117"
REASON = "sold out"

_LINES = examples.PLACE_ORDER["lines"]
_AT_A_TABLE = {"channel": str(ORDER.channel), "table": ORDER.table, "guests": ORDER.guests}


def _fields(body: type[BaseModel], of: BaseModel) -> Any:
    return of.model_dump(mode="json", include=set(body.model_fields))


def _as_sent(**shown: BaseModel) -> Mapping[str, Any]:
    return {name: each.model_dump(mode="json") for name, each in shown.items()}


_CLOSING = DayClosing(
    restaurant=RESTAURANT.restaurant,
    business_day=ORDER.business_day,
    reason=END_OF_DAY,
    actor=ACTOR,
    by=None,
    requested_at=examples.AT,
    version=1,
)

BODY_EXAMPLES: Examples = {
    RestaurantBody: {"a restaurant": _fields(RestaurantBody, RESTAURANT)},
    MenuItemBody: {"an item": _fields(MenuItemBody, ITEM)},
    DayClosingBody: {
        "a day that is over": {"business_day": "2026-05-04", "reason": "it was forgotten"}
    },
    ReasonBody: {"a reason": {"reason": REASON}},
    DineInOrderRequest: {"at a table": _AT_A_TABLE | {"lines": _LINES}},
    TakeawayOrderRequest: {"to take away": examples.PLACE_ORDER},
    RoundRequest: {"a round": {"lines": _LINES}},
    CancellationRequest: {"a round": {"reason": "ordered twice", "rounds": [2]}},
    contracts.Restaurant: _as_sent(restaurant=RESTAURANT),
    contracts.MenuItem: _as_sent(item=ITEM),
    contracts.Withdrawal: _as_sent(withdrawal=examples.WITHDRAWAL),
    contracts.Order: _as_sent(
        placed=ORDER, more=examples.WITH_DESSERT, cancelling=examples.UNDECIDED, closed=CLOSED
    ),
    DayClosingState: _as_sent(begun=closing_to_contract(_CLOSING)),
    MenuAnswer: _as_sent(menu=MenuAnswer(items=[ITEM])),
}
"""Examples by the model of the body that is sent or answered."""

_UNKNOWN_RESTAURANT = to_problem(refusals.UnknownRestaurant("la-pizza"))
_UNKNOWN_ITEM = to_problem(refusals.UnknownMenuItem("margarita"))
_UNKNOWN_ORDER = to_problem(refusals.UnknownOrder(examples.ORDER_ID))
_VERSION_MISMATCH = to_problem(refusals.VersionMismatch(expected=(1,), actual=2))
_WITHDRAWN = to_problem(refusals.WithdrawnMenuItem(ITEM.sku))
_QUANTITY_ZERO = {
    "loc": ("body", "lines", 0, "quantity"),
    "type": "greater_than_equal",
    "msg": "Input should be greater than or equal to 1",
}
_UNAVAILABLE_LINE = refusals.BadLine(0, "Item 'margherita' is not available now.")

_CHANGED = sent_with("ETag", "Idempotent-Replayed")

CHANGED_RESPONSES: dict[int | str, dict[str, Any]] = {200: _CHANGED}
ACCEPTED_RESPONSES: dict[int | str, dict[str, Any]] = {202: _CHANGED}
ADDED_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: sent_with("ETag", "Idempotent-Replayed", "Location")
}
PLACED_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: sent_with("ETag", "Idempotent-Replayed", "Location", GUEST_TOKEN_HEADER)
}
"""The headers of the answers to changes."""

_READ = (invalid_request([_QUANTITY_ZERO], {"lines": [{"quantity": 0}]}), store_unavailable())
_CHANGE = (*_READ, malformed_json(), unsupported_media_type(), to_problem(KeyReused()))
_LINES_REFUSED = (
    to_problem(refusals.CannotOrder([_UNAVAILABLE_LINE])),
    to_problem(refusals.OrderTooLarge(MAX_LINES)),
)
_NOT_OPEN = to_problem(refusals.OrderNotOpen(ORDER.number, "closed"))

TAGGED: dict[int | str, dict[str, Any]] = {200: sent_with("ETag")}
ORDER_RESPONSES = TAGGED | problem_responses(*_READ, _UNKNOWN_ORDER)
RESTAURANT_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE, to_problem(refusals.CurrencyIsFixed("EUR")), _VERSION_MISMATCH
)
RESTAURANT_READING_RESPONSES = TAGGED | problem_responses(*_READ, _UNKNOWN_RESTAURANT)
MENU_RESPONSES = problem_responses(*_READ, _UNKNOWN_RESTAURANT)
MENU_ITEM_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE, _UNKNOWN_RESTAURANT, _WITHDRAWN, _VERSION_MISMATCH
)
AVAILABILITY_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE, _UNKNOWN_ITEM, _WITHDRAWN, _VERSION_MISMATCH
)
WITHDRAWAL_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE, _UNKNOWN_ITEM, _VERSION_MISMATCH
)
ACCESS_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE,
    _UNKNOWN_RESTAURANT,
    to_problem(refusals.TooManyWithdrawals(WITHDRAWN_SUBJECTS_MAX)),
    _VERSION_MISMATCH,
)
DAY_CLOSING_RESPONSES = ACCEPTED_RESPONSES | problem_responses(
    *_CHANGE,
    _UNKNOWN_RESTAURANT,
    to_problem(refusals.DayNotBegun(examples.AT.date() + ONE_DAY, examples.AT.date())),
    _VERSION_MISMATCH,
)
PLACEMENT_RESPONSES = problem_responses(*_CHANGE, _UNKNOWN_RESTAURANT, *_LINES_REFUSED)
ROUND_RESPONSES = ADDED_RESPONSES | problem_responses(
    *_CHANGE, _UNKNOWN_ORDER, _NOT_OPEN, *_LINES_REFUSED, _VERSION_MISMATCH
)
CLOSING_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE,
    _UNKNOWN_ORDER,
    _NOT_OPEN,
    to_problem(refusals.StillInTheKitchen(ORDER.number, [1])),
    _VERSION_MISMATCH,
)
FORGETTING_RESPONSES = CHANGED_RESPONSES | problem_responses(
    *_CHANGE,
    _UNKNOWN_ORDER,
    to_problem(refusals.OrderNotOver(ORDER.number, "open")),
    _VERSION_MISMATCH,
)
CANCELLATION_RESPONSES = ACCEPTED_RESPONSES | problem_responses(
    *_CHANGE,
    _UNKNOWN_ORDER,
    _NOT_OPEN,
    to_problem(refusals.TooLateToCancel(ORDER.number)),
    to_problem(refusals.UnknownRound(ORDER.number, [7])),
    _VERSION_MISMATCH,
)
"""The refusals of each route."""

TAGS = {
    "Restaurants": "The restaurants, and who has no access to them any more.",
    "Menu": "What a restaurant offers, as the write side knows it.",
    "Orders": "Placing orders, and every change to them.",
}
