# ruff: noqa: RUF001 - letters that look like others are what this is about
"""What an order is found by."""

import pytest
from comanda_contracts import Line, OrderStatus
from query.views.orders import search_terms
from query.views.orders.search_terms import TERM_LENGTH_MAX, folded, terms_of, words_of

from tests.query.builders import a_round, an_order, at_table


@pytest.mark.parametrize("name", ["Zoë Ardi", "ZOE ARDI", " zoé  ardi ", "Zoe\u0308 Ardi"])
def test_a_customer_is_found_whatever_the_case_the_accents_and_the_spaces(name: str) -> None:
    order = an_order(customer="Zoë Ardi")

    assert search_terms.of_customer(name) in terms_of(order)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Işık Demir", ["ışık demir", "IŞIK DEMİR", "isik demir", "Isik Demir"]),
        ("İnci", ["inci", "İNCİ", "INCI"]),
        ("Bjørn Łuczak", ["bjorn luczak", "BJØRN ŁUCZAK"]),
        ("O’Brien", ["o'brien", "OʼBRIEN", "O‘Brien"]),
        ("Þóra Đurđević", ["thora durdevic", "ÞÓRA ĐURĐEVIĆ"]),
        ("Æble–Œuf", ["aeble-oeuf", "ÆBLE—ŒUF"]),
        ("Γιώργος", ["ΓΙΩΡΓΟΣ", "γιωργος"]),
    ],
)
def test_a_name_is_found_in_the_letters_that_every_keyboard_has(
    name: str, asked: list[str]
) -> None:
    terms = terms_of(an_order(customer=name))

    for each in asked:
        assert search_terms.of_customer(each) in terms
        assert words_of(each) <= set(terms)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Pizza (no_basil), 2x!", {"pizza", "no", "basil", "2x"}),
        ("Crème brûlée", {"creme", "brulee"}),
        ("STRASSE straße", {"strasse"}),
        ("Борщ", {"борщ"}),
        ("", set()),
        ("?! :", set()),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(text: str, words: set[str]) -> None:
    assert words_of(text) == words


def test_an_order_is_found_by_its_customer_its_items_and_their_notes_in_every_round() -> None:
    line = Line(sku="sku-1", name="Tiramisù", unit_price=500, quantity=1, note="Senza caffè")
    order = an_order(customer="Ada", rounds=(a_round(1), a_round(2, lines=(line,), voided=True)))

    assert words_of("Ada margherita tiramisu senza caffe") <= set(terms_of(order))


def test_an_order_is_not_found_by_words_that_name_a_term() -> None:
    order = an_order(**at_table("7"))

    assert not words_of("table:7 takeaway channel order") & set(terms_of(order))


@pytest.mark.parametrize("status", OrderStatus)
def test_only_active_orders_are_found_among_the_active_ones_of_a_table(status: OrderStatus) -> None:
    terms = terms_of(an_order(status=status, **at_table("7")))

    is_active = status in (OrderStatus.OPEN, OrderStatus.CANCELLING)
    assert search_terms.of_table("7") in terms
    assert (search_terms.of_active_table("7") in terms) is is_active


def test_a_long_text_is_found_by_its_beginning() -> None:
    terms = terms_of(an_order(customer="x" * 9_000_000))

    assert search_terms.of_customer("x" * TERM_LENGTH_MAX) in terms
    assert max(map(len, terms)) < 2 * TERM_LENGTH_MAX


def test_the_same_order_has_the_same_terms_in_the_same_order() -> None:
    order = an_order()

    assert terms_of(order) == sorted(set(terms_of(order)))


def test_folding_twice_changes_nothing() -> None:
    for text in ("ẞtraße", "İstanbul", "ﬁn", "Å", "Ŋł", "ʼʻ…“»", "ɐꜲ"):
        assert folded(folded(text)) == folded(text)


def test_terms_are_those_that_earlier_releases_have_stored() -> None:
    line = Line(sku="sku-1", name="Tiramisù", unit_price=500, quantity=1, note="Senza caffè")
    rounds = (a_round(1, lines=(line,)),)

    assert terms_of(an_order(customer="Zoë  Ardi", rounds=rounds)) == [
        "ardi",
        "caffe",
        "channel:takeaway",
        "customer:zoe ardi",
        "number:2026-11-23/A-001",
        "order:",
        "senza",
        "tiramisu",
        "zoe",
    ]
    seated = set(terms_of(an_order(**at_table("7"))))
    assert seated >= {"channel:dine_in", "table:7", "active-table:7"}
