import pytest
from ordering.domain.menu import RequestedLine, price, set_menu_item
from ordering.domain.refusals import CannotOrder, CurrencyIsFixed, WithdrawnMenuItem
from ordering.domain.restaurant import set_restaurant

from tests.ordering.builders import NOON, a_requested_line, a_restaurant, an_item


def test_a_line_takes_name_and_price_from_the_menu() -> None:
    (line,) = price([a_requested_line("margherita", 3)], {"margherita": an_item(price=900)})

    assert (line.name, line.unit_price, line.quantity) == ("Margherita", 900, 3)


def test_a_line_keeps_its_sku_and_what_the_guest_noted() -> None:
    (line,) = price(
        [RequestedLine(sku="margherita", quantity=1, note="no basil")], {"margherita": an_item()}
    )

    assert (line.sku, line.note) == ("margherita", "no basil")


def test_every_line_that_is_not_on_offer_is_named() -> None:
    menu = {
        "margherita": an_item(),
        "cola": an_item("cola", available=False),
        "lasagne": an_item("lasagne", withdrawn=True),
    }

    with pytest.raises(CannotOrder) as refusal:
        price(
            [
                a_requested_line("cola"),
                a_requested_line("margherita"),
                a_requested_line("lasagne"),
                a_requested_line("sushi"),
            ],
            menu,
        )

    assert [line.index for line in refusal.value.lines] == [0, 2, 3]


def test_setting_an_item_to_what_it_is_makes_no_event() -> None:
    assert set_menu_item(an_item(version=4), an_item(), at=NOON, actor=None) is None


def test_a_new_item_begins_at_version_1_and_tells_who_made_it_when_and_why() -> None:
    event = set_menu_item(None, an_item(version=7), reason="new season", at=NOON, actor="Gina")

    assert event is not None
    assert event.item == an_item(version=1)
    assert (event.reason, event.at, event.actor) == ("new season", NOON, "Gina")


def test_a_changed_item_has_the_next_version() -> None:
    event = set_menu_item(an_item(version=4), an_item(price=900), at=NOON, actor=None)

    assert event is not None
    assert (event.item.version, event.item.price) == (5, 900)


def test_a_withdrawn_item_can_not_come_back() -> None:
    withdrawn = an_item().withdraw(reason=None, at=NOON, actor=None)
    assert withdrawn is not None

    assert withdrawn.item.withdraw(reason=None, at=NOON, actor=None) is None
    with pytest.raises(WithdrawnMenuItem, match="Item 'margherita' was withdrawn"):
        set_menu_item(withdrawn.item, an_item(), at=NOON, actor=None)
    with pytest.raises(WithdrawnMenuItem):
        withdrawn.item.set_available(True, reason=None, at=NOON, actor=None)


def test_an_item_runs_out_for_a_reason_and_is_to_be_had_again() -> None:
    out = an_item(version=4).set_available(False, reason="sold out", at=NOON, actor="Gina")
    assert out is not None
    back = out.item.set_available(True, reason=None, at=NOON, actor="Gina")

    assert out.item == an_item(version=5, available=False)
    assert (out.reason, out.at, out.actor) == ("sold out", NOON, "Gina")
    assert back is not None
    assert back.item == an_item(version=6)


def test_an_item_that_has_run_out_runs_out_only_once() -> None:
    item = an_item(available=False)

    assert item.set_available(False, reason="sold out", at=NOON, actor=None) is None


def test_a_withdrawn_item_is_the_next_version_and_not_to_be_had() -> None:
    event = an_item(version=4).withdraw(reason=None, at=NOON, actor=None)

    assert event is not None
    assert event.item == an_item(version=5, withdrawn=True, available=False)


def test_a_withdrawal_tells_who_did_it_when_and_why() -> None:
    event = an_item().withdraw(reason="out of season", at=NOON, actor="Gina")

    assert event is not None
    assert (event.reason, event.at, event.actor) == ("out of season", NOON, "Gina")


def test_a_restaurant_keeps_its_currency() -> None:
    with pytest.raises(CurrencyIsFixed, match="The currency is EUR"):
        set_restaurant(a_restaurant(), a_restaurant(currency="USD"), at=NOON, actor=None)


def test_a_new_restaurant_begins_at_version_1_and_tells_who_opened_it_when() -> None:
    event = set_restaurant(None, a_restaurant(version=7), at=NOON, actor="Gina")

    assert event is not None
    assert (event.restaurant, event.at, event.actor) == (a_restaurant(version=1), NOON, "Gina")


def test_a_changed_restaurant_has_the_next_version_and_tells_who_changed_it_when() -> None:
    event = set_restaurant(
        a_restaurant(version=4), a_restaurant(name="La Nuova Piazza"), at=NOON, actor="Gina"
    )

    assert event is not None
    assert event.restaurant == a_restaurant(name="La Nuova Piazza", version=5)
    assert (event.at, event.actor) == (NOON, "Gina")


def test_setting_a_restaurant_to_what_it_is_makes_no_event() -> None:
    assert set_restaurant(a_restaurant(version=4), a_restaurant(), at=NOON, actor=None) is None
