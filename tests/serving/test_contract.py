"""Every value of serving's enums, events and refusals has its counterpart on the outside."""

from datetime import timedelta
from typing import get_args

import comanda_contracts as contracts
import pytest
from comanda_contracts.examples import EXAMPLES
from nats.aio.msg import Msg
from serving.application.keyed_request import KeyReused
from serving.application.tickets import StoreUnavailable
from serving.contract import event_to_contract, ticket_from_contract, ticket_to_contract
from serving.domain.ticket import (
    Refusal,
    TicketEvent,
    TicketStatus,
    TooLateToRecall,
    UnknownTicket,
    VersionMismatch,
    WrongStatus,
)
from serving.inbound.http.problems import to_problem
from serving.inbound.http.queue import OpenStatus
from serving.inbound.nats.orders import read_kitchen_request
from serving.outbound.open_tickets import is_open
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket

REFUSALS = {
    KeyReused(): 422,
    TooLateToRecall(a_ticket(), timedelta(minutes=15)): 409,
    UnknownTicket(a_ticket().id): 404,
    VersionMismatch(a_ticket(), (2,)): 412,
    WrongStatus(a_ticket(), "start"): 409,
}


@pytest.mark.parametrize("event", TicketEvent.__subclasses__())
def test_every_event_is_published_under_its_own_name(event: type[TicketEvent]) -> None:
    published = event_to_contract(event(ticket=a_ticket(), at=NOON))

    assert type(published).__name__ == event.__name__


def test_the_kitchens_answer_to_a_cancellation_says_who_sent_the_request() -> None:
    (requested,) = (each for each in EXAMPLES if isinstance(each, contracts.CancellationRequested))
    message = contracts.seal(requested, event_id=uuid7())
    received = Msg(None, message.subject, data=message.body, headers=dict(message.headers))  # type: ignore[arg-type]

    (command, _) = read_kitchen_request(received).to_void

    answer = event_to_contract(a_ticket().void(at=NOON, actor=command.actor, by=command.by))
    assert requested.by is not None
    assert (answer.actor, answer.by) == (requested.actor, requested.by)


@pytest.mark.parametrize("status", contracts.TicketStatus)
@pytest.mark.parametrize("channel", contracts.Channel)
def test_a_ticket_comes_back_from_its_published_model_with_every_status_and_channel(
    status: contracts.TicketStatus, channel: contracts.Channel
) -> None:
    ticket = a_ticket(status=TicketStatus(status), channel=channel)

    assert ticket_from_contract(ticket_to_contract(ticket)) == ticket


def test_a_ticket_with_a_status_and_channel_of_a_later_release_comes_back_as_it_was() -> None:
    ticket = a_ticket(status="cooling", channel="delivery")

    assert ticket_from_contract(ticket_to_contract(ticket)) == ticket


def test_a_round_of_a_channel_of_a_later_release_is_queued() -> None:
    (placed,) = (each for each in EXAMPLES if isinstance(each, contracts.OrderPlaced))
    delivered = placed.model_copy(
        update={"order": placed.order.model_copy(update={"channel": "delivery"})}
    )
    message = contracts.seal(delivered, event_id=uuid7())
    received = Msg(None, message.subject, data=message.body, headers=dict(message.headers))  # type: ignore[arg-type]

    (queued,) = read_kitchen_request(received).to_queue

    assert queued.ticket.channel == "delivery"


def test_a_ticket_with_a_status_of_a_later_release_is_in_the_queue() -> None:
    assert is_open("cooling")


def test_the_tickets_of_a_queue_are_those_whose_status_is_open() -> None:
    assert {status for status in contracts.TicketStatus if is_open(status)} == {
        contracts.TicketStatus(status) for status in get_args(OpenStatus)
    }


def test_every_refusal_has_a_problem_with_its_code_and_status() -> None:
    problems = {error: to_problem(error) for error in REFUSALS}

    assert {type(error) for error in REFUSALS} == set(Refusal.__subclasses__())
    assert {error: problem.status for error, problem in problems.items()} == REFUSALS
    assert all(problem.code == error.code for error, problem in problems.items())
    assert to_problem(StoreUnavailable("no answer")).status == 503


def test_a_refusal_without_a_problem_of_its_own_is_raised() -> None:
    class Forgotten(Refusal):
        code = "forgotten"

    with pytest.raises(Forgotten):
        to_problem(Forgotten())
