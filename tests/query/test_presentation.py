"""Orders as clients get them, from the documents of the store."""

import functools

import pytest
from comanda_contracts import OrderEvent, TicketEvent, TicketStatus
from query.views.merge import Document
from query.views.orders.presentation import (
    PUBLIC_ORDER_FIELDS,
    is_known,
    present_listed_order,
    present_order,
    version_of,
)
from query.views.orders.view import document, merge, view_of

from tests.query.builders import a_round, after, an_order, closed, its_ticket, news_of, placed


def stored(*events: OrderEvent | TicketEvent) -> Document:
    return document(functools.reduce(merge, map(view_of, events)))


def test_an_order_has_its_public_fields_and_each_round_its_own_ticket() -> None:
    order = an_order(rounds=(a_round(1), a_round(2), a_round(3)))
    tickets = [its_ticket(order, round=n, status=TicketStatus.READY) for n in (1, 2)]
    found = stored(placed(order), *map(news_of, tickets))

    presented = present_listed_order(found)

    assert presented.keys() == {
        *("order_id", "restaurant", "status", "rounds"),
        *PUBLIC_ORDER_FIELDS,
    }
    assert presented["order_id"] == str(order.order_id)
    assert presented["restaurant"] == "la-piazza"
    assert presented["status"] == found["status"]
    assert {name: presented[name] for name in PUBLIC_ORDER_FIELDS} == {
        name: found["order"][name] for name in PUBLIC_ORDER_FIELDS
    }
    rounds = presented["rounds"]
    assert [each["round"] for each in rounds] == [1, 2, 3]
    assert [each["ticket"] for each in rounds] == [*(found["tickets"][n] for n in "12"), None]


def test_an_order_without_tickets_has_rounds_without_one() -> None:
    assert present_listed_order(stored(placed(an_order())))["rounds"][0]["ticket"] is None


def test_an_order_by_itself_has_its_timeline_too() -> None:
    order = an_order()
    found = stored(placed(order), news_of(its_ticket(order), after(1)))

    presented = present_order(found)

    timeline = presented.pop("timeline")
    assert presented == present_listed_order(found)
    assert [each["at"] for each in timeline] == sorted(each["at"] for each in timeline)
    assert len(timeline) == 2


@pytest.mark.parametrize("turned", [False, True])
def test_a_timeline_is_told_by_time_then_source_then_round_then_version(turned: bool) -> None:
    keys = [
        ("2026-11-23T12:00:00Z", "ordering", None, 9),
        ("2026-11-23T13:30:00+01:00", "ordering", 1, 1),  # half past noon
        ("2026-11-23T12:30:00Z", "ordering", 1, 2),
        ("2026-11-23T12:30:00Z", "ordering", 2, 1),
        ("2026-11-23T12:30:00Z", "serving", None, 1),
        ("2026-11-23T12:30:00Z", "serving", 1, 1),
    ]
    entries = [
        {"at": at, "source": source, "round": number, "version": version}
        for at, source, number, version in keys
    ]
    kept = entries[::-1] if turned else entries
    found = stored(placed(an_order())) | {"timeline": {str(n): e for n, e in enumerate(kept)}}

    assert present_order(found)["timeline"] == entries


def test_an_order_is_known_once_it_has_come_itself() -> None:
    order = an_order()
    ticket_alone = stored(news_of(its_ticket(order)))

    assert (is_known(ticket_alone), version_of(ticket_alone)) == (False, 0)
    found = stored(placed(order), closed(order))
    assert (is_known(found), version_of(found)) == (True, 2)


def lacking(found: Document, *fields: str) -> Document:
    """The document as a release stored it that did not know these fields of the order."""
    order = {name: value for name, value in found["order"].items() if name not in fields}
    return found | {"order": order}


@pytest.mark.parametrize("field", ["table", "guests", "customer", "phone"])
def test_what_an_older_release_did_not_store_is_not_known(field: str) -> None:
    presented = present_listed_order(lacking(stored(placed(an_order())), field))

    assert presented[field] is None


@pytest.mark.parametrize("field", ["number", "channel", "currency", "placed_at"])
def test_an_order_can_not_be_shown_without_what_nothing_stands_for(field: str) -> None:
    with pytest.raises(KeyError, match=field):
        present_listed_order(lacking(stored(placed(an_order())), field))


def test_rounds_of_an_older_release_are_completed_and_give_the_order_its_total() -> None:
    order = an_order(rounds=(a_round(1), a_round(2, voided=True), a_round(3)))
    old = lacking(stored(placed(order)), "total")
    for each in old["order"]["rounds"]:
        del each["total"]
        if not each["voided"]:
            del each["voided"]

    presented = present_listed_order(old)

    assert presented == present_listed_order(stored(placed(order)))
    assert presented["total"] == 1700 + 3 * 1700


def test_a_round_keeps_what_was_stored_of_it_though_something_else_is_missing() -> None:
    found = stored(placed(an_order(rounds=(a_round(1, voided=True), a_round(2)))))
    first, second = found["order"]["rounds"]
    del first["total"], second["voided"]
    second["total"] = 17

    rounds = present_listed_order(found)["rounds"]

    assert [(each["voided"], each["total"]) for each in rounds] == [(True, 1700), (False, 17)]


def test_the_status_that_is_not_stored_is_derived() -> None:
    order = an_order()
    found = stored(placed(order), news_of(its_ticket(order, status=TicketStatus.READY)))
    stale = found | {"status": "placed"}
    del found["status"]

    assert present_listed_order(found)["status"] == "ready"
    assert present_listed_order(stale)["status"] == "placed"


def test_an_order_whose_timeline_is_not_stored_has_an_empty_one() -> None:
    found = stored(placed(an_order()))
    del found["timeline"]

    assert present_order(found)["timeline"] == []


def test_an_order_that_has_lost_its_version_is_older_than_any() -> None:
    assert version_of(lacking(stored(placed(an_order())), "version")) == 0
