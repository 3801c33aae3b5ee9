"""Made-up evenings are varied, valid and the same for the same seed."""

from comanda_local.menus import la_piazza
from comanda_local.visits import generate_visits

SKUS = la_piazza().skus


def test_the_same_seed_brings_the_same_guests() -> None:
    assert generate_visits(50, SKUS, seed=7) == generate_visits(50, SKUS, seed=7)
    assert generate_visits(50, SKUS, seed=7) != generate_visits(50, SKUS, seed=8)


def test_an_evening_has_both_channels_and_further_rounds() -> None:
    visits = generate_visits(200, SKUS, seed=1)

    channels = {visit.order["channel"] for visit in visits}
    assert channels == {"dine_in", "takeaway"}
    assert {len(visit.further_rounds) for visit in visits} == {0, 1, 2}


def test_only_those_who_eat_in_order_again() -> None:
    visits = generate_visits(200, SKUS, seed=1)

    assert all(visit.order["channel"] == "dine_in" for visit in visits if visit.further_rounds)


def test_a_menu_of_one_item_is_enough() -> None:
    [visit] = generate_visits(1, ["espresso"], seed=1)

    assert [line["sku"] for line in visit.order["lines"]] == ["espresso"]
