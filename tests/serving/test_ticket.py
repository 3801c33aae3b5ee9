from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import comanda_contracts
import pytest
from comanda_contracts.envelope import MAX_SAFE_INTEGER
from hypothesis import given
from hypothesis import strategies as st
from serving.application.keyed_request import KeyReused
from serving.domain.ticket import (
    SETTLED,
    VERSIONS_PER_RESTATEMENT,
    ExpectedVersion,
    Refusal,
    Sender,
    Ticket,
    TicketEvent,
    TicketId,
    TicketStatus,
    TicketVoided,
    TicketVoidRefused,
    TooLateToRecall,
    UnknownTicket,
    VersionMismatch,
    WrongStatus,
    version_at_restatement,
)

from tests.serving.builders import LATER, NOON, a_ticket

LUIGI = Sender(subject="luigi", role="kitchen", device="screen-1")

Decide = Callable[[Ticket], TicketEvent]

COMMANDS: dict[str, Decide] = {
    "start": lambda ticket: ticket.start(at=LATER, actor="Luigi"),
    "ready": lambda ticket: ticket.ready(at=LATER, actor="Luigi"),
    "recall": lambda ticket: ticket.recall(at=LATER, actor="Luigi"),
    "serve": lambda ticket: ticket.serve(at=LATER, actor="Luigi"),
    "void": lambda ticket: ticket.void(at=LATER, actor="Luigi"),
    "end": lambda ticket: ticket.end(at=LATER, actor="Luigi"),
}

LEGAL = {
    ("queued", "start"): "preparing",
    ("preparing", "ready"): "ready",
    ("queued", "ready"): "ready",
    ("ready", "recall"): "preparing",
    ("served", "recall"): "ready",
    ("ready", "serve"): "served",
    ("queued", "void"): "voided",
    ("preparing", "void"): "preparing",
    ("ready", "void"): "ready",
    ("served", "void"): "served",
    ("voided", "void"): "voided",
    ("abandoned", "void"): "abandoned",
    ("queued", "end"): "voided",
    ("preparing", "end"): "abandoned",
    ("ready", "end"): "abandoned",
    ("served", "end"): "served",
    ("voided", "end"): "voided",
    ("abandoned", "end"): "abandoned",
}


def test_statuses_have_the_names_of_the_contract() -> None:
    assert list(map(str, TicketStatus)) == list(map(str, comanda_contracts.TicketStatus))


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in ("void", "end")])
def test_nothing_may_happen_to_a_ticket_with_a_status_of_a_later_release(command: str) -> None:
    with pytest.raises(WrongStatus, match="is cooling"):
        COMMANDS[command](a_ticket(status="cooling"))


@pytest.mark.parametrize("command", ["void", "end"])
def test_a_ticket_with_a_status_of_a_later_release_is_not_voided(command: str) -> None:
    """The kitchen may have begun it."""
    event = COMMANDS[command](a_ticket(status="cooling", version=3))

    assert isinstance(event, TicketVoidRefused)
    assert (event.ticket.status, event.ticket.version) == ("cooling", 4)


@pytest.mark.parametrize(("status", "command"), LEGAL)
def test_a_legal_command_leads_to_the_next_status(status: str, command: str) -> None:
    before = a_ticket(status=TicketStatus(status), version=7, served_at=NOON)

    event = COMMANDS[command](before)

    assert event.ticket.status == LEGAL[status, command]
    assert (event.ticket.version, event.at, event.actor) == (8, LATER, "Luigi")


@pytest.mark.parametrize(("status", "command"), LEGAL)
def test_an_event_says_who_sent_what_led_to_it(status: str, command: str) -> None:
    ticket = a_ticket(status=TicketStatus(status), served_at=NOON)

    event = getattr(ticket, command)(at=LATER, actor="Gina", by=LUIGI)

    assert (event.actor, event.by) == ("Gina", LUIGI)


@pytest.mark.parametrize(
    ("status", "command"),
    [(s.value, c) for s in TicketStatus for c in COMMANDS if (s.value, c) not in LEGAL],
)
def test_any_other_command_is_refused_with_the_ticket_and_its_status(
    status: str, command: str
) -> None:
    ticket = a_ticket(status=TicketStatus(status))

    verb = {"ready": "finish"}.get(command, command)
    said = f"order A-001 is {status}, so you can't {verb} it"

    with pytest.raises(WrongStatus, match=said) as refusal:
        COMMANDS[command](ticket)

    assert refusal.value.ticket is ticket


def test_the_times_of_start_ready_and_serve_are_kept() -> None:
    started = a_ticket().start(at=NOON).ticket
    ready = started.ready(at=LATER).ticket
    served = ready.serve(at=LATER).ticket

    assert (served.started_at, served.ready_at, served.served_at) == (NOON, LATER, LATER)


def test_a_recall_keeps_the_time_of_the_last_start_and_ready() -> None:
    ready = a_ticket().start(at=NOON).ticket.ready(at=NOON).ticket

    recalled = ready.recall(at=LATER).ticket

    assert (recalled.started_at, recalled.ready_at) == (NOON, NOON)


def test_what_is_ready_at_once_was_never_begun() -> None:
    ready = a_ticket().ready(at=LATER).ticket

    assert (ready.started_at, ready.ready_at) == (None, LATER)
    assert isinstance(ready.void(at=LATER), TicketVoidRefused)


def test_a_served_ticket_is_recalled_to_the_pass_and_keeps_its_times() -> None:
    served = a_ticket().ready(at=NOON).ticket.serve(at=NOON).ticket

    recalled = served.recall(at=LATER).ticket

    assert (recalled.status, recalled.served_at) == (TicketStatus.READY, NOON)
    assert recalled.recall(at=LATER).ticket.status is TicketStatus.PREPARING


@pytest.mark.parametrize(("seconds", "is_late"), [(0, False), (60, False), (60.001, True)])
def test_a_served_ticket_is_recalled_within_the_grace_alone(seconds: float, is_late: bool) -> None:
    served = a_ticket(status=TicketStatus.SERVED, served_at=NOON)
    at, grace = NOON + timedelta(seconds=seconds), timedelta(minutes=1)

    if not is_late:
        assert served.recall(at=at, grace=grace).ticket.status is TicketStatus.READY
        return
    with pytest.raises(TooLateToRecall, match="more than 60 seconds ago") as refusal:
        served.recall(at=at, grace=grace)
    assert refusal.value.ticket is served


def test_what_was_served_nobody_knows_when_is_not_recalled() -> None:
    with pytest.raises(TooLateToRecall):
        a_ticket(status=TicketStatus.SERVED).recall(at=NOON)


def test_a_queued_ticket_is_voided_and_a_started_one_is_not() -> None:
    ticket = a_ticket()

    assert isinstance(ticket.void(at=NOON), TicketVoided)
    assert isinstance(ticket.start(at=NOON).ticket.void(at=NOON), TicketVoidRefused)


def test_what_is_abandoned_was_ready_at_a_time_only_if_it_still_was() -> None:
    ready = a_ticket().start(at=NOON).ticket.ready(at=NOON).ticket

    on_the_pass = ready.end(at=LATER).ticket
    taken_back = ready.recall(at=LATER).ticket.end(at=LATER).ticket

    assert (on_the_pass.ready_at, taken_back.ready_at) == (NOON, None)


def test_a_decision_leaves_the_ticket_it_was_made_on_alone() -> None:
    ticket = a_ticket()

    ticket.start(at=NOON)

    assert (ticket.status, ticket.version) == (TicketStatus.QUEUED, 1)


@pytest.mark.parametrize("meant_for", [None, 2, [1, 2]])
def test_a_command_is_meant_for_any_version_or_for_one_or_for_some(
    meant_for: ExpectedVersion,
) -> None:
    a_ticket(version=2).expect(meant_for)


@pytest.mark.parametrize(
    ("meant_for", "said"),
    [(2, "2"), (0, "0"), ([3, 2], "2 or 3"), ([], "one that was asked for")],
)
def test_a_command_meant_for_another_version_is_refused_with_the_ticket_as_it_is(
    meant_for: ExpectedVersion, said: str
) -> None:
    ticket = a_ticket()

    with pytest.raises(VersionMismatch) as refusal:
        ticket.expect(meant_for)

    assert str(refusal.value) == f"The ticket is at version 1, not {said}."
    assert refusal.value.ticket is ticket


def test_a_ticket_is_named_by_its_restaurant_its_order_and_its_round() -> None:
    ticket = a_ticket(round=3)

    assert ticket.id == TicketId("la-piazza", ticket.order_id, 3)


def test_every_refusal_keeps_the_code_that_clients_have_been_written_for() -> None:
    assert {
        each: each.code
        for each in Refusal.__subclasses__()
        if each.__module__.startswith("serving.")
    } == {
        UnknownTicket: "unknown-ticket",
        WrongStatus: "wrong-status",
        TooLateToRecall: "too-late-to-recall",
        VersionMismatch: "version-mismatch",
        KeyReused: "idempotency-key-reused",
    }


def test_a_ticket_that_is_unknown_is_named() -> None:
    ticket = a_ticket(round=3)

    said = f"There is no ticket for round 3 of order {ticket.order_id}."
    assert str(UnknownTicket(ticket.id)) == said


@given(st.lists(st.sampled_from(sorted(COMMANDS)), max_size=30))
def test_whatever_is_commanded_versions_count_events_and_transitions_are_legal(
    commands: list[str],
) -> None:
    first = ticket = a_ticket()
    events = 1

    for command in commands:
        before = ticket
        try:
            ticket = COMMANDS[command](ticket).ticket
        except WrongStatus:
            assert (str(before.status), command) not in LEGAL
        else:
            events += 1
            assert ticket.status == LEGAL[str(before.status), command]

    assert ticket.version == events
    assert (ticket.id, ticket.lines, ticket.ordered_at) == (first.id, first.lines, NOON)


@pytest.mark.parametrize("known", [TicketStatus.QUEUED, *sorted(SETTLED)])
@pytest.mark.parametrize("status", [*TicketStatus, "cooling"])
def test_a_ticket_that_is_restated_stays_as_it_is_unless_ordering_knows_it_settled(
    status: TicketStatus | str, known: TicketStatus
) -> None:
    ticket = a_ticket(status=status, version=3)

    event = ticket.restate(known, version=7_000_000, at=LATER)

    is_open = status not in SETTLED
    expected = known if is_open and known is not TicketStatus.QUEUED else status
    assert event.ticket == replace(ticket, status=expected, version=7_000_000)


@given(st.integers(1, 10**6), st.integers(1, VERSIONS_PER_RESTATEMENT - 1))
def test_a_ticket_has_a_higher_version_after_each_restatement_whatever_happened_to_it(
    order_version: int, changes: int
) -> None:
    before = version_at_restatement(order_version) + changes

    assert changes < version_at_restatement(order_version)
    assert before < version_at_restatement(order_version + 1) <= MAX_SAFE_INTEGER
