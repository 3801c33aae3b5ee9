"""A restaurant's business day: it begins once, at its hour, and no change takes it back."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordering.domain.restaurant import ONE_DAY, Restaurant, set_restaurant

from tests.ordering.builders import NOON, a_restaurant
from tests.support.machine_zone import machine_in

ZONES = (
    *("Europe/Rome", "America/New_York", "America/Havana", "America/Santiago", "Asia/Beirut"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Asia/Kathmandu", "America/Nuuk"),
    *("America/St_Johns", "UTC", "Etc/GMT+12", "Pacific/Kiritimati", "Africa/Casablanca"),
)
"""Zones that put their clocks forward and back by night, at midnight and by half an hour."""

FROM, UNTIL = datetime(2005, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
CHANGES_OF_CLOCKS = [
    at
    for zone in map(ZoneInfo, ZONES)
    for day in range((UNTIL - FROM).days)
    if (at := FROM + timedelta(days=day)).astimezone(zone).utcoffset()
    != (at + ONE_DAY).astimezone(zone).utcoffset()
]
"""Beginnings of the days of UTC in which some zone changes its clocks."""

hours = st.times().map(lambda at: at.replace(second=0, microsecond=0))
instants = st.one_of(
    st.datetimes(FROM.replace(tzinfo=None), UNTIL.replace(tzinfo=None), timezones=st.just(UTC)),
    st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        st.sampled_from(CHANGES_OF_CLOCKS),
        st.integers(-24 * 60, 48 * 60),
    ),
)
restaurants = st.builds(
    lambda zone, begins: a_restaurant(time_zone=zone, day_begins=begins),
    st.sampled_from(ZONES),
    hours,
)


def changed(current: Restaurant, at: datetime, **fields: object) -> Restaurant:
    """The restaurant after another PUT."""
    known = {"time_zone": current.time_zone, "day_begins": current.day_begins}
    event = set_restaurant(current, a_restaurant(**(known | fields)), at=at, actor=None)
    return event.restaurant if event else current


def in_rome(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Rome"))


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-05-05T03:59:59", "2026-05-04"),
        ("2026-05-05T04:00", "2026-05-05"),
        ("2026-05-05T23:30", "2026-05-05"),
        ("2026-05-06T00:30", "2026-05-05"),
    ],
)
def test_a_night_belongs_to_the_day_in_which_it_began(at: str, day: str) -> None:
    restaurant = a_restaurant(day_begins=time(4))

    assert restaurant.business_day(in_rome(at)).isoformat() == day


def test_an_hour_that_comes_twice_begins_the_day_the_first_time() -> None:
    restaurant = a_restaurant(day_begins=time(2, 30))
    first_half_past_two = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second_two = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)

    assert restaurant.beginning(date(2026, 10, 25)) == first_half_past_two
    assert restaurant.business_day(first_half_past_two - timedelta(seconds=1)).day == 24
    assert restaurant.business_day(second_two).day == 25


def test_an_hour_that_is_skipped_begins_the_day_as_much_later_as_the_clocks_skip() -> None:
    restaurant = a_restaurant(day_begins=time(2, 30))
    half_past_three = in_rome("2026-03-29T03:30")

    assert restaurant.beginning(date(2026, 3, 29)) == half_past_three
    assert restaurant.business_day(half_past_three - timedelta(seconds=1)).day == 28
    assert restaurant.business_day(half_past_three).day == 29


@given(restaurants, instants, st.integers(0, 36 * 60))
def test_the_day_never_goes_back(restaurant: Restaurant, at: datetime, minutes: int) -> None:
    assert restaurant.business_day(at) <= restaurant.business_day(at + timedelta(minutes=minutes))


@given(restaurants, instants)
def test_a_day_runs_from_its_beginning_until_the_next_begins(
    restaurant: Restaurant, at: datetime
) -> None:
    day = restaurant.business_day(at)

    assert restaurant.beginning(day) <= at < restaurant.beginning(day + ONE_DAY)


@given(restaurants, instants)
def test_away_from_changes_of_the_clocks_the_day_is_the_date_of_so_many_hours_ago(
    restaurant: Restaurant, at: datetime
) -> None:
    local = at.astimezone(ZoneInfo(restaurant.time_zone))
    offsets = {(local + timedelta(days=n)).utcoffset() for n in (-2, -1, 0, 1)}
    begins = restaurant.day_begins

    if len(offsets) == 1:
        ago = timedelta(hours=begins.hour, minutes=begins.minute)
        assert restaurant.business_day(at) == (local - ago).date()


@given(restaurants, st.lists(st.tuples(st.integers(0, 48 * 60), hours), max_size=5), instants)
def test_whatever_is_changed_when_the_day_never_goes_back_and_none_is_left_out(
    restaurant: Restaurant, changes: list[tuple[int, time]], at: datetime
) -> None:
    seen = [restaurant.business_day(at)]
    for minutes, day_begins in changes:
        for _ in range(minutes // 30):
            at += timedelta(minutes=30)
            seen.append(restaurant.business_day(at))
        restaurant = changed(restaurant, at, day_begins=day_begins)
        seen.append(restaurant.business_day(at))
    days = [day for day in seen if day != date(2011, 12, 30)]  # which Samoa never had

    assert days == sorted(days)
    steps = {(later - day).days for day, later in itertools.pairwise(days)}
    assert steps <= {0, 1} or restaurant.time_zone == "Pacific/Apia"


@given(restaurants, hours, instants)
def test_a_change_of_the_hour_leaves_the_running_day_alone(
    restaurant: Restaurant, day_begins: time, at: datetime
) -> None:
    assert changed(restaurant, at, day_begins=day_begins).business_day(
        at
    ) == restaurant.business_day(at)


@pytest.mark.parametrize(
    ("before", "after", "next_begins", "then_begins"),
    [
        (time(0), time(4), "2026-05-05T04:00", "2026-05-06T04:00"),
        (time(4), time(0), "2026-05-05T04:00", "2026-05-06T00:00"),
        (time(4), time(6), "2026-05-05T06:00", "2026-05-06T06:00"),
    ],
)
def test_the_next_day_begins_at_the_later_of_the_two_hours(
    before: time, after: time, next_begins: str, then_begins: str
) -> None:
    evening = in_rome("2026-05-04T21:00")
    restaurant = changed(a_restaurant(day_begins=before), evening, day_begins=after)

    for beginning, day in ((next_begins, 5), (then_begins, 6)):
        at = in_rome(beginning)
        assert restaurant.business_day(at - timedelta(seconds=1)).day == day - 1
        assert restaurant.business_day(at).day == day


def test_a_change_back_does_not_begin_a_day_that_has_been_put_off() -> None:
    evening, night = in_rome("2026-05-04T21:00"), in_rome("2026-05-05T02:00")
    put_off = changed(a_restaurant(), evening, day_begins=time(4))

    back = changed(put_off, night, day_begins=time(0))

    assert back.business_day(night).day == 4
    assert back.business_day(in_rome("2026-05-05T04:00")).day == 5
    assert back.business_day(in_rome("2026-05-06T00:00")).day == 6


def test_a_new_restaurants_hour_holds_at_once() -> None:
    event = set_restaurant(
        None, a_restaurant(day_begins=time(15)), at=NOON, actor=None
    )  # 14:00 in Rome

    assert event is not None
    assert event.restaurant.business_day(NOON).isoformat() == "2026-05-03"


def test_what_has_not_changed_keeps_the_hour_that_is_to_come() -> None:
    evening = in_rome("2026-05-04T21:00")
    put_off = changed(a_restaurant(), evening, day_begins=time(4))

    renamed = changed(put_off, evening, name="La Piazzetta")

    assert changed(put_off, evening) is put_off
    assert renamed.day_begins_since == put_off.day_begins_since == in_rome("2026-05-05T04:00")


def test_a_change_in_the_moment_in_which_the_last_one_begins_to_hold_is_a_change_after_it() -> None:
    put_off = changed(a_restaurant(), in_rome("2026-05-04T21:00"), day_begins=time(4))
    beginning = in_rome("2026-05-05T04:00")

    earlier = changed(put_off, beginning, day_begins=time(2))

    assert put_off.day_begins_since == beginning
    assert earlier.day_begins_since == in_rome("2026-05-06T04:00")


def test_the_machines_own_time_zone_means_nothing() -> None:
    restaurant = a_restaurant(time_zone="Pacific/Kiritimati")
    midnight_there = datetime(2026, 5, 5, 10, tzinfo=UTC)

    with machine_in("Pacific/Pago_Pago"):  # where days begin last
        day = restaurant.business_day(midnight_there)
        beginning = restaurant.beginning(day)

    assert day == date(2026, 5, 6)
    assert beginning.isoformat() == midnight_there.isoformat()


def test_another_time_zone_holds_at_once() -> None:
    abroad = changed(a_restaurant(time_zone="Pacific/Auckland"), NOON, time_zone="Europe/Rome")

    assert abroad.business_day(NOON).isoformat() == "2026-05-04"
