"""Subjects: what is built is taken apart again, and what is none is told apart."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from comanda_contracts import Unreadable, subjects

ORDER_ID = UUID("01968f6e-3d2a-7c1b-9a4e-5f60718293a4")
ROOT = Path(__file__).parents[2]


def test_the_subjects_are_those_of_the_contract() -> None:
    assert subjects.order("*", "*", "placed") == "orders.v1.*.*.placed"
    assert subjects.menu_item("la-piazza", "cola", "item-set") == "menu.v1.la-piazza.cola.item-set"
    assert subjects.restaurant("la-piazza", "set") == "restaurants.v1.la-piazza.set"
    assert subjects.access("la-piazza", "x", "withdrawn") == "access.v1.la-piazza.x.withdrawn"
    assert subjects.command("la-piazza", "place-order") == "commands.v1.la-piazza.place-order"
    assert subjects.every_event_of_ticket("la-piazza", ORDER_ID, 1) == (
        f"tickets.v1.la-piazza.{ORDER_ID}.1.>"
    )


def test_what_is_built_is_taken_apart_again() -> None:
    order = ("la-piazza", str(ORDER_ID), "placed")
    ticket = ("la-piazza", str(ORDER_ID), "1", "void-refused")
    item = ("la-piazza", "cola", "item-set")

    assert subjects.parse_order(subjects.order(*order)) == order
    assert subjects.parse_ticket(subjects.ticket(*ticket)) == ticket
    assert subjects.parse_menu_item(subjects.menu_item(*item)) == item
    assert subjects.parse_restaurant(subjects.restaurant("bar", "set")) == ("bar", "set")
    assert subjects.parse_access(subjects.access("bar", "x", "withdrawn"))[:2] == ("bar", "x")
    assert subjects.parse_dead_letter(subjects.dead_letter("query", "ORDERS"))[0] == "query"
    assert subjects.parse_command(subjects.command("bar", "close")) == ("bar", "close")


@pytest.mark.parametrize(
    "subject", ["", "orders", "orders.v1.r.o", "orders.v1.r.o.placed.x", "orders.v2.r.o.placed"]
)
def test_what_is_no_orders_subject_is_unreadable(subject: str) -> None:
    with pytest.raises(Unreadable, match=r"is not orders\.v1\.<restaurant>\.<order_id>\.<event>"):
        subjects.parse_order(subject)


@pytest.mark.parametrize("part", ["", "a.b", ">", "a b", "a\n"])
def test_what_would_break_a_subject_is_no_part_of_one(part: str) -> None:
    with pytest.raises(ValueError, match="part of a subject"):
        subjects.menu_item("la-piazza", part, "item-set")


@pytest.mark.parametrize(
    ("pattern", "subject", "covered"),
    [
        ("orders.v1.>", "orders.v1.r.o.placed", True),
        ("orders.v1.>", "orders.v1", False),
        ("orders.v1.*.*.placed", "orders.v1.r.o.placed", True),
        ("orders.v1.*.*.placed", "orders.v1.r.o.closed", False),
        ("orders.v1.*", "orders.v1.r.o", False),
        ("orders.v1.r.o.placed", "orders.v1.r.o.placed", True),
    ],
)
def test_a_filter_covers_what_nats_would_deliver(pattern: str, subject: str, covered: bool) -> None:
    assert subjects.covers(pattern, subject) is covered


def test_no_restaurant_has_the_word_for_all_of_them_as_its_slug() -> None:
    everywhere = subjects.EVERY_RESTAURANT

    assert not re.fullmatch(subjects.SLUG_PATTERN, everywhere)
    assert subjects.parse_access(subjects.access(everywhere, "x", "y")).restaurant == everywhere


def test_subjects_are_built_and_taken_apart_in_one_place_only() -> None:
    by_hand = re.compile(
        r'(?<!reply\.)subject\.(?:r?split|r?partition|removeprefix)\(|f"(?:orders|tickets|menu|restaurants|access)\.v1'
    )
    sources = [
        source
        for folder in ("contracts/src", "shared/src", "services", "deploy/local/src")
        for source in (ROOT / folder).rglob("*.py")
        if source.name != "subjects.py"
    ]

    guilty = [source.name for source in sources if by_hand.search(source.read_text())]

    assert guilty == []


def test_an_address_names_the_parts_that_differ() -> None:
    ticket = subjects.ticket("la-piazza", "0199", 2, "ready")

    assert subjects.address(ticket) == "tickets.v1.{restaurant}.{order_id}.{round}.ready"
