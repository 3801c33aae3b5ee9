"""The next version of an event, rehearsed: told beside the older one until a day, read as one."""

import copy
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest
from comanda_contracts import Event, OrderClosed, UnknownType, read, reading, seal, successions
from comanda_contracts.examples import EXAMPLES
from comanda_contracts.orders import OrderEvent
from comanda_contracts.successions import Succession, as_told
from contract_release.gate import breaking_changes
from ordering.outbound.outbox.outbox import outbox_row
from query.views.orders.view import document, merge, view_of

from tests.support.contract import current

Json = dict[str, Any]

CLOSED, CLOSED_V2 = "comanda.order.closed.v1", "comanda.order.closed.v2"
ENDS_ON = date(2027, 6, 30)
LAST_MOMENT = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)


class OrderClosedV2(OrderEvent):
    """The order is over, and always says why: what `closed` of `v1` may leave out."""

    TYPE: ClassVar[str] = CLOSED_V2

    why: str
    """`served`, or the reason of whoever closed it."""


def upcast(closed: OrderClosed) -> OrderClosedV2:
    common = {name: getattr(closed, name) for name in OrderEvent.model_fields}
    return OrderClosedV2(**common, why=closed.reason or "served")


def downcast(closed: OrderClosedV2) -> OrderClosed:
    common = {name: getattr(closed, name) for name in OrderEvent.model_fields}
    return OrderClosed(**common, reason=None if closed.why == "served" else closed.why)


SUCCESSION = Succession(OrderClosed, OrderClosedV2, upcast, downcast, ENDS_ON)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release that brings the next version."""
    monkeypatch.setitem(reading.EVENTS, CLOSED_V2, OrderClosedV2)
    monkeypatch.setattr(successions, "SUCCESSIONS", (SUCCESSION,))


def a_closed(at: datetime = LAST_MOMENT, why: str = "end of the day") -> OrderClosedV2:
    (closed,) = (each for each in EXAMPLES if isinstance(each, OrderClosed))
    return upcast(closed.model_copy(update={"at": at, "reason": why}))


def over_the_wire(event: Event) -> Event:
    message = seal(event, event_id=uuid.uuid4())
    return read(message.headers, message.body)


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize("why", ["served", "end of the day"])
def test_both_versions_are_told_and_read_as_the_newer(why: str) -> None:
    event = a_closed(why=why)

    told = as_told(event)

    assert [type(each) for each in told] == [OrderClosed, OrderClosedV2]
    assert [over_the_wire(each) for each in told] == [event, event]


@pytest.mark.usefixtures("release")
def test_the_older_one_is_told_no_more_once_its_day_is_over() -> None:
    late = a_closed(LAST_MOMENT + timedelta(seconds=1))

    assert as_told(late) == (late,)


@pytest.mark.usefixtures("release")
def test_what_was_archived_before_is_read_as_the_newer() -> None:
    long_ago = a_closed(datetime(2026, 5, 4, tzinfo=UTC))

    assert over_the_wire(downcast(long_ago)) == long_ago


@pytest.mark.usefixtures("release")
def test_a_consumer_of_the_older_one_alone_gets_it_alone() -> None:
    rows = [outbox_row(each, event_id=uuid.uuid4(), trace={}) for each in as_told(a_closed())]

    older, newer = (row["subject"] for row in rows)
    assert older.endswith(".closed")
    assert newer == f"{older}-v2"
    assert len({row["aggregate"] for row in rows}) == 1


@pytest.mark.usefixtures("release")
def test_a_view_of_both_is_that_of_either() -> None:
    read_again = (over_the_wire(each) for each in as_told(a_closed()))
    one, other = (view_of(each) for each in read_again if isinstance(each, OrderEvent))

    assert document(merge(one, other)) == document(merge(other, one)) == document(one)


def test_the_release_before_reads_the_older_and_knows_that_the_newer_is_not_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as of_the_release:
        of_the_release.setattr(successions, "SUCCESSIONS", (SUCCESSION,))
        older, newer = as_told(a_closed())

    assert over_the_wire(older) == older
    with pytest.raises(UnknownType):
        over_the_wire(newer)


def with_next_version(contract: Json, *, ends_on: date | None = ENDS_ON) -> Json:
    """The contract of the release; without a day, that of one that has not said it."""
    new = copy.deepcopy(contract)
    older = new["events"][CLOSED]
    schema = OrderClosedV2.model_json_schema(mode="serialization")
    new["events"][CLOSED_V2] = {**older, "subject": f"{older['subject']}-v2", "schema": schema}
    if ends_on:
        new["successions"] = {CLOSED: {"newer": CLOSED_V2, "ends_on": ends_on.isoformat()}}
    return new


def test_the_gate_takes_a_next_version_beside_the_older() -> None:
    assert breaking_changes(current(), with_next_version(current())) == []


def test_the_gate_refuses_a_next_version_that_comes_alone() -> None:
    alone = with_next_version(current())
    del alone["events"][CLOSED]
    unpromised = with_next_version(current(), ends_on=None)

    for contract in (alone, unpromised):
        broken = "\n".join(map(str, breaking_changes(current(), contract)))
        assert f"event {CLOSED_V2}: comes without {CLOSED} beside it" in broken


def test_the_gate_holds_the_day_that_was_promised() -> None:
    promised = with_next_version(current())
    sooner = with_next_version(current(), ends_on=ENDS_ON - timedelta(days=1))
    later = with_next_version(current(), ends_on=ENDS_ON + timedelta(days=1))
    taken_back = {**promised, "successions": {}}

    assert breaking_changes(promised, later) == []
    (change,) = breaking_changes(promised, sooner)
    assert "is told until 2027-06-29, not until 2027-06-30" in str(change)
    assert any("until None" in str(each) for each in breaking_changes(promised, taken_back))
