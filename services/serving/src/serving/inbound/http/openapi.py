"""What the API's documentation shows of answers and refusals, by the contracts' examples."""

import comanda_contracts as contracts
from comanda_contracts import examples
from service_kit.http.openapi_examples import Examples
from service_kit.http.problems import invalid_request, problem_responses, too_large
from service_kit.http.sse import event, events

from serving.application.request import KeyReused
from serving.application.tickets import StoreUnavailable
from serving.domain.ticket import TicketId, UnknownTicket, VersionMismatch, WrongStatus
from serving.inbound.http.problems import to_problem
from serving.published import QueueView, ticket_from

RESTAURANT = examples.TICKET.restaurant
ORDER_ID = str(examples.ORDER_ID)
ROUND = examples.TICKET.round
ACTOR = "Gina"
KEY = "screen-1/2026-05-04/42"
SEQUENCE = 8_117

_PREPARING = ticket_from(examples.PREPARING)
_QUEUE = QueueView(tickets=[examples.PREPARING])
_STATES = {"preparing": examples.PREPARING, "ready": examples.READY, "served": examples.SERVED}

ANSWERS: Examples = {
    contracts.Ticket: {name: each.model_dump(mode="json") for name, each in _STATES.items()},
    QueueView: {"busy": _QUEUE.model_dump(mode="json")},
}
"""By the model of the answer."""

_NO_ROUND = {
    "loc": ("path", "round"),
    "type": "greater_than_equal",
    "msg": "Input should be greater than or equal to 1",
}

OF_ANY = problem_responses(
    too_large(),
    invalid_request([_NO_ROUND], None),
    to_problem(KeyReused()),
    to_problem(StoreUnavailable("the stream does not answer")),
)
OF_A_TICKET = problem_responses(
    to_problem(UnknownTicket(TicketId(RESTAURANT, examples.ORDER_ID, ROUND)))
)
OF_A_CHANGE = OF_A_TICKET | problem_responses(
    to_problem(WrongStatus(_PREPARING, "start")), to_problem(VersionMismatch(_PREPARING, 1))
)
"""The refusals of routes, by what they are about."""

LIVE = events(
    event("snapshot", _QUEUE.model_dump_json(), str(SEQUENCE)),
    event("ticket", examples.READY.model_dump_json(), str(SEQUENCE + 1)),
)
