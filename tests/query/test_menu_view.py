"""Views of menu items and restaurants as a pure fold: of each the newest state."""

import functools

import pytest
from comanda_contracts import MenuEvent, RestaurantEvent
from query.views.menu import UNKNOWN_TO_1_0, MenuView, merge, view_of
from query.views.merge import merge_by_key

from tests.query.builders import offered, opened


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (offered("la-piazza", "cola"), "la-piazza/cola"),
        (offered("la-piazza", "cola", withdrawn=True), "la-piazza/cola"),
        (opened("la-piazza"), "la-piazza"),
    ],
)
def test_a_view_knows_its_event_under_a_key_that_is_nobody_elses(
    event: MenuEvent | RestaurantEvent, key: str
) -> None:
    state = event.item if isinstance(event, MenuEvent) else event.restaurant

    known = state.model_dump(mode="json", exclude=UNKNOWN_TO_1_0)

    assert view_of(event) == MenuView(key, "la-piazza", known)


def test_a_restaurants_state_is_as_the_first_release_stored_it() -> None:
    state = view_of(opened("la-piazza", day_begins="04:00")).state

    assert state.keys() == {"version", "restaurant", "name", "currency", "time_zone"}


def test_the_version_comes_first_because_the_store_compares_by_it() -> None:
    assert next(iter(view_of(opened("la-piazza")).state)) == "version"


def test_the_newer_state_stays_in_whatever_order_they_come() -> None:
    views = [view_of(offered("la-piazza", "cola", version=n, price=100 * n)) for n in (1, 2, 3)]

    for order in (views, views[::-1], [views[2], views[0], views[1]]):
        assert functools.reduce(merge, order) == views[2]


def test_views_are_merged_with_those_of_the_same_key_alone() -> None:
    cola, tea = (
        [view_of(offered("la-piazza", sku, version=n)) for n in (1, 2)] for sku in ("cola", "tea")
    )

    merged = merge_by_key([cola[1], tea[0], cola[0], tea[1]], lambda view: view.key, merge)

    assert merged == [cola[1], tea[1]]


def test_three_of_one_key_are_one() -> None:
    views = [view_of(offered("la-piazza", "cola", version=n)) for n in (2, 3, 1)]

    assert merge_by_key(views, lambda view: view.key, merge) == [views[1]]
