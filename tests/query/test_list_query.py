"""Queries for lists: what kind of list each is, and the positions of its pages."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query.views.orders.list_query import ListQuery, Sort, at_milliseconds, milliseconds
from query.views.orders.status import ACTIVE, ViewStatus

READY = frozenset({ViewStatus.READY})
CLOSED = frozenset({ViewStatus.CLOSED})


@pytest.mark.parametrize(
    ("sort", "is_descending", "by_total"),
    [
        (Sort.NEWEST, True, False),
        (Sort.OLDEST, False, False),
        (Sort.DEAREST, True, True),
        (Sort.CHEAPEST, False, True),
    ],
)
def test_a_list_begins_with_the_largest_or_the_smallest_time_or_total(
    sort: Sort, is_descending: bool, by_total: bool
) -> None:
    assert (sort.is_descending, sort.by_total) == (is_descending, by_total)


@pytest.mark.parametrize(
    ("statuses", "only_active"),
    [(ACTIVE, True), (READY, True), (CLOSED, False), (frozenset(ViewStatus), False)],
)
def test_a_list_of_active_statuses_has_no_order_that_is_over(
    statuses: frozenset[ViewStatus], only_active: bool
) -> None:
    assert ListQuery("la-piazza", statuses=statuses).only_active is only_active


@pytest.mark.parametrize(
    ("fields", "is_in_index_order"),
    [
        ({}, True),
        ({"table": "7"}, True),
        ({"customer": "Ada"}, True),
        ({"channel": "takeaway"}, True),
        ({"words": frozenset({"pizza"})}, True),
        ({"statuses": READY}, True),
        ({"table": "7", "statuses": ACTIVE}, True),
        ({"table": "7", "statuses": CLOSED}, False),
        ({"customer": "Ada", "statuses": ACTIVE}, False),
        ({"table": "7", "channel": "dine_in"}, False),
        ({"table": "7", "channel": "dine_in", "statuses": ACTIVE}, False),
        ({"words": frozenset({"pizza", "wine"})}, False),
        ({"min_total": 1}, False),
        ({"sort": Sort.CHEAPEST}, False),
        ({"sort": Sort.OLDEST}, True),
    ],
)
def test_a_list_by_one_thing_alone_and_by_time_is_in_the_order_of_an_index(
    fields: dict[str, Any], is_in_index_order: bool
) -> None:
    assert ListQuery("la-piazza", **fields).is_in_index_order is is_in_index_order


@pytest.mark.parametrize(
    ("at", "since_1970"),
    [
        (datetime(1970, 1, 1), 0),  # noqa: DTZ001 - as the store has times
        (datetime(1970, 1, 1, 0, 0, 1, 2_999), 1_002),  # noqa: DTZ001
        (datetime(1969, 12, 31, 23, 59, 59, 999_000), -1),  # noqa: DTZ001
    ],
)
def test_a_position_counts_the_milliseconds_since_1970(at: datetime, since_1970: int) -> None:
    counted = milliseconds(at)

    assert (counted, type(counted)) == (since_1970, int)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_position_is_the_time_it_was_made_of(since_1970: int) -> None:
    assert milliseconds(at_milliseconds(since_1970)) == since_1970


def test_a_position_beyond_all_times_is_none() -> None:
    with pytest.raises(OverflowError):
        at_milliseconds(253_402_300_800_000)
