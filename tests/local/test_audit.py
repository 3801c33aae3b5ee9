"""The audit finds every way in which the read side can differ from the write side."""

import copy
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from comanda_contracts import (
    Channel,
    Line,
    Order,
    OrderStatus,
    Round,
    Ticket,
    TicketLine,
    TicketQueued,
    TicketStatus,
    seal,
)
from comanda_local.audit import compare
from comanda_local.audit.agreement import GRACE_VARIABLE, may_be_recalled
from comanda_local.audit.sources import TicketStates
from nats.aio.client import Client
from nats.aio.msg import Msg
from uuid_utils.compat import uuid7

ID = UUID("0199aaaa-0000-7000-8000-000000000001")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Json = dict[str, Any]


def a_round(number: int, *, voided: bool = False) -> Round:
    lines = (
        Line(sku="margherita", name="Margherita", unit_price=850, quantity=2, note="no basil"),
        Line(sku="acqua", name="Acqua", unit_price=300, quantity=1),
    )
    return Round(round=number, lines=lines, ordered_at=NOON, voided=voided)


def an_order(
    *rounds: Round,
    status: OrderStatus = OrderStatus.OPEN,
    channel: Channel = Channel.DINE_IN,
    total: int = 2000,
) -> Order:
    return Order(
        order_id=ID,
        restaurant="la-piazza",
        version=3,
        number="A-001",
        business_day=date(2026, 11, 23),
        channel=channel,
        table="7",
        guests=2,
        currency="EUR",
        status=status,
        rounds=rounds or (a_round(1),),
        total=total,
        placed_at=NOON,
    )


def a_ticket(number: int = 1, status: TicketStatus = TicketStatus.PREPARING) -> Ticket:
    lines = tuple(
        TicketLine(sku=line.sku, name=line.name, quantity=line.quantity, note=line.note)
        for line in a_round(number).lines
    )
    return Ticket(
        restaurant="la-piazza",
        version=2,
        order_id=ID,
        round=number,
        number="A-001",
        channel=Channel.DINE_IN,
        table="7",
        lines=lines,
        status=status,
        ordered_at=NOON,
        started_at=NOON,
    )


def a_view(**changes: Any) -> Json:
    """What query answers for `an_order()` and `a_ticket()`."""
    view = {
        "order_id": str(ID),
        "restaurant": "la-piazza",
        "number": "A-001",
        "business_day": "2026-11-23",
        "channel": "dine_in",
        "table": "7",
        "guests": 2,
        "customer": None,
        "phone": None,
        "currency": "EUR",
        "status": "preparing",
        "version": 3,
        "placed_at": "2026-11-23T12:00:00Z",
        "total": 2000,
        "rounds": [
            {
                "round": 1,
                "lines": [line.model_dump(mode="json") for line in a_round(1).lines],
                "ordered_at": "2026-11-23T12:00:00.000+00:00",
                "voided": False,
                "total": 2000,
                "ticket": {
                    "status": "preparing",
                    "version": 2,
                    "started_at": "2026-11-23T13:00:00+01:00",
                    "ready_at": None,
                    "served_at": None,
                },
            }
        ],
        "timeline": [
            {"source": "ordering", "round": None, "version": 1},
            {"source": "ordering", "round": None, "version": 2},
            {"source": "ordering", "round": None, "version": 3},
            {"source": "serving", "round": 1, "version": 1},
            {"source": "serving", "round": 1, "version": 2},
        ],
    }
    return {**copy.deepcopy(view), **changes}


def test_equal_sides_have_no_difference() -> None:
    assert compare(ID, an_order(), {1: a_ticket()}, a_view()) == []


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("order_id", "0199aaaa-0000-7000-8000-000000000002"),
        ("restaurant", "da-mario"),
        ("number", "A-002"),
        ("business_day", "2026-11-22"),
        ("channel", "takeaway"),
        ("table", "8"),
        ("guests", 3),
        ("customer", "Ada"),
        ("phone", "123"),
        ("currency", "GBP"),
        ("status", "ready"),
        ("version", 2),
        ("placed_at", "2026-11-23T12:00:00.001Z"),
        ("total", 1999),
    ],
)
def test_a_wrong_field_of_the_view_is_found(field: str, wrong: object) -> None:
    found = compare(ID, an_order(), {1: a_ticket()}, a_view(**{field: wrong}))

    assert [difference.path for difference in found] == [field]


PLANTED: list[tuple[str, Callable[[Json], object]]] = [
    ("rounds.1.lines.0.sku", lambda view: view["rounds"][0]["lines"][0].update(sku="marinara")),
    ("rounds.1.lines.0.name", lambda view: view["rounds"][0]["lines"][0].update(name="Marinara")),
    (
        "rounds.1.lines.0.unit_price",
        lambda view: view["rounds"][0]["lines"][0].update(unit_price=1),
    ),
    ("rounds.1.lines.1.quantity", lambda view: view["rounds"][0]["lines"][1].update(quantity=9)),
    ("rounds.1.lines.0.note", lambda view: view["rounds"][0]["lines"][0].update(note=None)),
    ("rounds.1.ordered_at", lambda view: view["rounds"][0].update(ordered_at="2026-11-23T00:00Z")),
    ("rounds.1.voided", lambda view: view["rounds"][0].update(voided=True)),
    ("rounds.1.total", lambda view: view["rounds"][0].update(total=1)),
    ("rounds.1.ticket.status", lambda view: view["rounds"][0]["ticket"].update(status="queued")),
    ("rounds.1.ticket.version", lambda view: view["rounds"][0]["ticket"].update(version=1)),
    ("rounds.1.ticket.started_at", lambda view: view["rounds"][0]["ticket"].pop("started_at")),
    ("timeline.ordering", lambda view: view["timeline"].pop(0)),
    ("timeline.round 1", lambda view: view["timeline"].pop()),
]


@pytest.mark.parametrize(("what", "plant"), PLANTED, ids=[what for what, _ in PLANTED])
def test_a_wrong_detail_of_the_view_is_found(what: str, plant: Callable[[Json], object]) -> None:
    view = a_view()
    plant(view)

    found = compare(ID, an_order(), {1: a_ticket()}, view)

    assert [difference.path for difference in found] == [what]


def a_restated_view(*ticket_versions: int) -> Json:
    """As `a_view`, after a loss: of the ticket's first versions the timeline may have none."""
    order = [{"source": "ordering", "round": None, "version": 3, "event": "restated"}]
    ticket: list[Json] = [
        {
            "source": "serving",
            "round": 1,
            "version": version,
            "event": "restated" if version == RESTATED else "started",
        }
        for version in ticket_versions
    ]
    view = a_view(timeline=[*order, *ticket])
    view["rounds"][0]["ticket"]["version"] = RESTATED + 2
    return view


RESTATED = 3_000_000


@pytest.mark.parametrize("before", [(), (1, 2)])
def test_the_gap_before_a_restatement_is_no_difference(before: tuple[int, ...]) -> None:
    ticket = a_ticket().model_copy(update={"version": RESTATED + 2})
    view = a_restated_view(*before, RESTATED, RESTATED + 1, RESTATED + 2)

    assert compare(ID, an_order(), {1: ticket}, view) == []


def test_a_gap_after_a_restatement_is_found() -> None:
    ticket = a_ticket().model_copy(update={"version": RESTATED + 2})
    view = a_restated_view(1, RESTATED, RESTATED + 2)

    found = compare(ID, an_order(), {1: ticket}, view)

    assert [difference.path for difference in found] == ["timeline.round 1"]


def test_a_line_that_the_view_lost_is_found() -> None:
    view = a_view()
    view["rounds"][0]["lines"].pop()

    found = compare(ID, an_order(), {1: a_ticket()}, view)

    assert {difference.path for difference in found} >= {"rounds.1.lines.1.sku"}
    assert all(difference.shown == "nothing" for difference in found)


def test_a_round_that_the_view_lost_is_found() -> None:
    found = compare(ID, an_order(), {1: a_ticket()}, a_view(rounds=[]))

    assert "rounds.1.total" in {difference.path for difference in found}


def test_a_ticket_that_the_view_never_heard_of_is_found() -> None:
    view = a_view()
    view["rounds"][0]["ticket"] = None

    found = compare(ID, an_order(), {1: a_ticket()}, view)

    assert "rounds.1.ticket.status" in {difference.path for difference in found}


def test_an_order_that_the_read_side_lacks_is_found() -> None:
    [found] = compare(ID, an_order(), {1: a_ticket()}, None)

    assert (found.path, found.written, found.shown) == ("order", "A-001", "nothing")


def test_an_order_that_only_the_read_side_has_is_found() -> None:
    [found] = compare(ID, None, {}, a_view())

    assert (found.path, found.written, found.shown) == ("order", "nothing", "A-001")


def test_an_order_that_was_published_but_neither_stored_nor_shown_is_found() -> None:
    assert compare(ID, None, {}, None) != []


def test_totals_are_worked_out_anew_not_taken_from_the_write_side() -> None:
    found = compare(ID, an_order(total=1), {1: a_ticket()}, a_view(total=1))

    assert [difference.path for difference in found] == ["total as stored", "total"]


def test_a_voided_round_is_no_part_of_the_total() -> None:
    order = an_order(a_round(1), a_round(2, voided=True), total=4000)
    tickets = {1: a_ticket(1), 2: a_ticket(2, TicketStatus.VOIDED)}

    found = compare(ID, order, tickets, a_view())

    assert ("total as stored", 4000, 2000) in [
        (difference.path, difference.written, difference.shown) for difference in found
    ]


class Messages:
    """Reads of a stream, or its archive, first these tickets and then those."""

    def __init__(self, *batches: list[Ticket]) -> None:
        self._batches = list(batches)

    async def new(self) -> AsyncIterator[Msg]:
        for ticket in self._batches.pop(0) if self._batches else []:
            message = seal(TicketQueued(ticket=ticket, at=NOON), event_id=uuid7())
            headers = dict(message.headers)
            yield Msg(Client(), subject=message.subject, data=message.body, headers=headers)


async def test_a_ticket_that_has_left_the_stream_is_found_in_its_archive() -> None:
    served, before = a_ticket(1, TicketStatus.SERVED), a_ticket(2, TicketStatus.SERVED)
    there, later, lost = a_ticket(2, TicketStatus.QUEUED), a_ticket(3), a_ticket(4)
    past = Messages([served, before, lost], [before])
    states = TicketStates(Messages([there], [later]), past=past)

    await states.catch_up()
    await states.catch_up()

    assert states.by_order[ID] == {1: served, 2: there, 3: later}


def test_a_round_that_the_kitchen_never_heard_of_is_found() -> None:
    view = a_view(status="placed", timeline=a_view()["timeline"][:3])
    view["rounds"][0]["ticket"] = None

    found = compare(ID, an_order(), {}, view)

    assert [difference.path for difference in found] == ["kitchen.1"]


def test_a_ticket_for_other_lines_than_were_ordered_is_found() -> None:
    ticket = a_ticket().model_copy(update={"lines": a_ticket().lines[:1]})

    found = compare(ID, an_order(), {1: ticket}, a_view())

    assert [difference.path for difference in found] == ["kitchen.1.lines"]


@pytest.mark.parametrize(
    ("status", "channel", "ticket", "settled"),
    [
        (OrderStatus.CLOSED, Channel.DINE_IN, TicketStatus.SERVED, True),
        (OrderStatus.CLOSED, Channel.DINE_IN, TicketStatus.READY, False),
        (OrderStatus.OPEN, Channel.DINE_IN, TicketStatus.SERVED, True),
        (OrderStatus.OPEN, Channel.TAKEAWAY, TicketStatus.SERVED, False),
        (OrderStatus.OPEN, Channel.TAKEAWAY, TicketStatus.READY, True),
        (OrderStatus.CANCELLING, Channel.TAKEAWAY, TicketStatus.QUEUED, False),
    ],
)
def test_a_status_that_ordering_should_have_settled_is_found(
    status: OrderStatus, channel: Channel, ticket: TicketStatus, settled: bool
) -> None:
    order = an_order(status=status, channel=channel)

    found = compare(ID, order, {1: a_ticket(1, ticket)}, a_view())

    assert ("status as stored" not in {difference.path for difference in found}) is settled


@pytest.mark.parametrize(
    ("tickets", "status"),
    [
        ((TicketStatus.QUEUED, TicketStatus.QUEUED), "placed"),
        ((TicketStatus.QUEUED, None), "placed"),
        ((TicketStatus.SERVED, TicketStatus.QUEUED), "preparing"),
        ((TicketStatus.PREPARING, TicketStatus.QUEUED), "preparing"),
        ((TicketStatus.READY, TicketStatus.QUEUED), "preparing"),
        ((TicketStatus.READY, TicketStatus.READY), "ready"),
        ((TicketStatus.READY, TicketStatus.SERVED), "ready"),
        ((TicketStatus.SERVED, TicketStatus.SERVED), "served"),
    ],
)
def test_the_status_is_worked_out_from_the_tickets(
    tickets: tuple[TicketStatus | None, ...], status: str
) -> None:
    order = an_order(a_round(1), a_round(2), total=4000)
    known = {number: a_ticket(number, each) for number, each in enumerate(tickets, start=1) if each}

    right = compare(ID, order, known, a_view(status=status))
    wrong = compare(ID, order, known, a_view(status="cancelled"))

    assert "status" not in {difference.path for difference in right}
    assert "status" in {difference.path for difference in wrong}


def test_when_a_restated_ticket_was_served_is_not_known_so_its_takeaway_may_be_open_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(GRACE_VARIABLE, "900")
    restated = a_ticket(status=TicketStatus.SERVED)
    served_long_ago = restated.model_copy(update={"served_at": NOON})

    assert may_be_recalled([restated], now=datetime.now(UTC))
    assert not may_be_recalled([served_long_ago], now=datetime.now(UTC))
