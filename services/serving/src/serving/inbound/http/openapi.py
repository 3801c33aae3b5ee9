"""The responses and refusals in the API's documentation, with the contracts' examples."""

from typing import Any

import comanda_contracts as contracts
from comanda_contracts import examples
from service_kit.http.feed_budget import too_many_feeds
from service_kit.http.feed_documents import Feeds
from service_kit.http.openapi import Examples
from service_kit.http.problems import invalid_request, problem_responses
from service_kit.http.response_headers import sent_with
from service_kit.http.sse import event, events

from serving.application.keyed_request import KeyReused
from serving.application.tickets import StoreUnavailable
from serving.contract import ticket_from_contract
from serving.domain.ticket import (
    RECALL_GRACE,
    TicketId,
    TooLateToRecall,
    UnknownTicket,
    VersionMismatch,
    WrongStatus,
)
from serving.inbound.http.problems import to_problem
from serving.inbound.http.queue_view import QueueView

RESTAURANT = examples.TICKET.restaurant
ORDER_ID = str(examples.ORDER_ID)
ROUND = examples.TICKET.round
ACTOR = "Gina"
KEY = "screen-1/2026-05-04/42"
SEQUENCE = 8_117

_PREPARING = ticket_from_contract(examples.PREPARING)
_SERVED = ticket_from_contract(examples.SERVED)
_QUEUE = QueueView(tickets=[examples.PREPARING])
_TICKETS = {"preparing": examples.PREPARING, "ready": examples.READY, "served": examples.SERVED}

RESPONSE_EXAMPLES: Examples = {
    contracts.Ticket: {name: each.model_dump(mode="json") for name, each in _TICKETS.items()},
    QueueView: {"busy": _QUEUE.model_dump(mode="json")},
}
"""Examples by the model of the response."""

_INVALID_ROUND = {
    "loc": ("path", "round"),
    "type": "greater_than_equal",
    "msg": "Input should be greater than or equal to 1",
}

TAGGED: dict[int | str, dict[str, Any]] = {200: sent_with("ETag")}

_INVALID = invalid_request([_INVALID_ROUND], None)
_READ = (_INVALID, to_problem(StoreUnavailable("the stream does not answer")))
_UNKNOWN = to_problem(UnknownTicket(TicketId(RESTAURANT, examples.ORDER_ID, ROUND)))

QUEUE_REFUSALS = problem_responses(*_READ)
QUEUE_FEED_REFUSALS = problem_responses(_INVALID, too_many_feeds(429), too_many_feeds(503))
TICKET_RESPONSES = TAGGED | problem_responses(*_READ, _UNKNOWN)
CHANGE_RESPONSES = {200: sent_with("ETag", "Idempotent-Replayed")} | problem_responses(
    *_READ,
    _UNKNOWN,
    to_problem(KeyReused()),
    to_problem(WrongStatus(_PREPARING, "start")),
    to_problem(VersionMismatch(_PREPARING, (1,))),
)
"""Headers and refusals of the queue, its feed, a ticket, and of routes that change a ticket."""

RECALL_RESPONSES = CHANGE_RESPONSES | problem_responses(
    to_problem(WrongStatus(_PREPARING, "recall")),
    to_problem(TooLateToRecall(_SERVED, RECALL_GRACE)),
)
"""The same, of a recall: it may come too late."""

TAGS = {
    "Queue": "What a kitchen has to work on.",
    "Tickets": "The kitchen's work for one round of an order.",
}

QUEUE_FEED_RESPONSES = events(
    "QueueEvent",
    event("snapshot", _QUEUE.model_dump_json(), str(SEQUENCE)),
    event("ticket", examples.READY.model_dump_json(), str(SEQUENCE + 1)),
)

FEEDS: Feeds = {"QueueEvent": {"snapshot": QueueView, "ticket": contracts.Ticket}}
"""The data of the feed's events."""
