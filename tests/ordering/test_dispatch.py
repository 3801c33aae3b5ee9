"""Every event, refusal and command has an arm of its own wherever ordering tells them apart."""

import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from comanda_contracts import TicketEvent, TicketStatus, Unreadable, examples
from comanda_contracts.commands import COMMAND_BODIES
from ordering.contract import EVENT_MODELS
from ordering.domain.events import DomainEvent
from ordering.domain.order import KitchenVerdict
from ordering.domain.refusals import Refusal
from ordering.inbound.nats.command_message import CommandMessage
from ordering.inbound.nats.command_subscriber import bind_use_case
from ordering.inbound.nats.verdict_subscriber import VERDICT_EVENTS, VERDICTS, verdict_of
from ordering.inbound.refusals import PROBLEMS

from tests.ordering.builders import NOON

TO_ORDER = {"order_id": str(uuid.UUID(int=1))}
BODIES: dict[str, dict[str, Any]] = {
    "place-order": examples.PLACE_ORDER,
    "add-items": {**TO_ORDER, "lines": examples.PLACE_ORDER["lines"]},
    "cancel-order": {**TO_ORDER, "reason": "the guests left"},
    "close-order": TO_ORDER,
}


def kinds(base: type[Any]) -> Iterator[type[Any]]:
    """The classes below this one that have none below them."""
    for each in base.__subclasses__():
        if getattr(sys.modules[each.__module__], each.__name__) is each:  # no twin without slots
            below = list(kinds(each))
            yield from below or [each]


def test_every_event_is_published() -> None:
    assert set(kinds(DomainEvent)) == set(EVENT_MODELS)


def test_every_refusal_is_a_problem_with_a_status() -> None:
    assert set(kinds(Refusal)) == set(PROBLEMS)


@pytest.mark.parametrize("name", sorted(COMMAND_BODIES))
def test_every_command_has_a_use_case(name: str) -> None:
    body = COMMAND_BODIES[name].validate_python(BODIES[name], strict=False)
    command = CommandMessage("la-piazza", name, BODIES[name], actor=None, reply_to=None)

    status, _ = bind_use_case(command, body, clock=lambda: NOON, new_id=uuid.uuid4)

    assert status in (200, 201, 202)


def test_a_command_without_a_use_case_is_not_taken_for_another() -> None:
    command = CommandMessage("la-piazza", "fly", {}, actor=None, reply_to=None)

    with pytest.raises(NotImplementedError, match="'fly'"):
        bind_use_case(command, None, clock=lambda: NOON, new_id=uuid.uuid4)


def test_every_event_of_a_ticket_is_a_verdict_or_is_refused() -> None:
    verdicts = {}
    for event in examples.EXAMPLES:
        try:
            verdicts[event.name] = verdict_of(event).verdict
        except Unreadable:
            assert event.name not in VERDICT_EVENTS or not isinstance(event, TicketEvent)

    assert verdicts == {
        "served": KitchenVerdict.SERVED,
        "recalled": KitchenVerdict.STARTED,
        "voided": KitchenVerdict.VOIDED,
        "void-refused": KitchenVerdict.STARTED,
        "restated": KitchenVerdict.STARTED,
        "abandoned": KitchenVerdict.ABANDONED,
    }
    assert set(verdicts.values()) == set(KitchenVerdict)


def test_a_ticket_of_any_status_that_is_said_again_is_a_verdict_or_none_yet() -> None:
    assert set(VERDICTS) == set(TicketStatus)
    assert {status for status, verdict in VERDICTS.items() if verdict is None} == {
        TicketStatus.QUEUED
    }
