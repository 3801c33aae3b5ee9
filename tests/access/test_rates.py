"""A subject and a restaurant ask so often, and no more; a subject has so many feeds open."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from fastapi import FastAPI, Response
from hypothesis import example, given
from hypothesis import strategies as st
from limits import parse
from prometheus_client import REGISTRY
from pydantic import TypeAdapter, ValidationError
from service_kit.access.admission import Admission, admission_by
from service_kit.access.feed_places import FEEDS_PER_GUEST_MAX, FeedPlaces, TooManyFeeds
from service_kit.access.needs import PUBLIC, needs
from service_kit.access.principal import Principal
from service_kit.access.rates import Rates, SlidingCounter, TooManyRequests
from service_kit.access.roles import Role
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.fast_lane import FastLane, Lane
from service_kit.http.server import application
from service_kit.http.sse import EventStream
from service_kit.runtime.settings import AccessSettings, Rate

from tests.access.forge import OTHER, RESTAURANT, FakeClock, a_verifier, claims, signed
from tests.access.test_guard import LANE_PATH, ORDERS, THE_ORDERS, take

TILL = needs(Role.TILL)
LIVE = "/v1/restaurants/{restaurant}/live"


def a_token(subject: str = "luigi") -> str:
    return signed(claims(sub=subject, comanda={RESTAURANT: ["till"]}))


def somebody(subject: str = "luigi", own_order: tuple[str, str] | None = None) -> Principal:
    return Principal(subject, None, {}, frozenset(), 0.0, 0.0, 1e12, own_order)


def a_guest(order: str = "1", restaurant: str = RESTAURANT) -> Principal:
    return somebody("guest", (restaurant, order))


def are_counted(rates: Rates, *asked: tuple[str, Principal]) -> list[bool]:
    """Of each request, in turn, whether it is within the rates."""
    within = []
    for restaurant, principal in asked:
        try:
            rates.count(restaurant, principal)
        except TooManyRequests:
            within.append(False)
        else:
            within.append(True)
    return within


PAUSES_S = st.lists(st.floats(min_value=0, max_value=4), max_size=60)


@given(PAUSES_S, st.integers(min_value=1, max_value=5))
def test_in_each_window_is_let_through_what_the_rate_says(
    pauses_s: list[float], limit: int
) -> None:
    counter, now_s, let_through = SlidingCounter(parse(f"{limit}/2 seconds")), 0.0, []
    for pause_s in pauses_s:
        now_s += pause_s
        if counter.wait_s("key", now_s) is None:
            let_through.append(now_s // 2)

    assert all(let_through.count(window) <= limit for window in let_through)


@given(PAUSES_S, st.integers(min_value=1, max_value=5))
@example([0.0, 0.0], 1)
def test_who_waits_as_long_as_he_is_told_is_let_through(pauses_s: list[float], limit: int) -> None:
    counter, now_s = SlidingCounter(parse(f"{limit}/2 seconds")), 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        if (wait_s := counter.wait_s("key", now_s)) is not None:
            assert 0 <= wait_s <= 2
            now_s += wait_s + 1e-6
            assert counter.wait_s("key", now_s) is None


def test_at_the_very_moment_from_which_one_is_let_through_none_is() -> None:
    counter = SlidingCounter(parse("4/second"))
    for now_s, times in ((10.0, 4), (11.5, 2)):
        assert [counter.wait_s("key", now_s) for _ in range(times)] == [None] * times

    assert counter.wait_s("key", 11.5) == 0.0


def test_the_end_of_a_window_and_the_begin_of_the_next_are_no_two_bursts() -> None:
    counter = SlidingCounter(parse("100/second"))

    at_the_end = sum(counter.wait_s("key", 10.99) is None for _ in range(200))
    at_the_begin = sum(counter.wait_s("key", 11.01) is None for _ in range(200))

    assert (at_the_end, at_the_begin) == (100, 1)


def test_after_a_whole_window_of_silence_the_whole_rate_is_there() -> None:
    counter = SlidingCounter(parse("100/second"))
    for now_s in (10.0, 12.0, 20.9):
        assert sum(counter.wait_s("key", now_s) is None for _ in range(200)) == 100


def test_what_comes_late_is_counted_and_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    """As commands do, which are counted by when they were stored."""
    counter = SlidingCounter(parse("2/second"))

    in_turn = [counter.wait_s("key", now_s) is None for now_s in (10.1, 11.1, 10.9, 11.2, 10.95)]
    set_back = [counter.wait_s("key", now_s) is None for now_s in (5.1, 5.2, 5.3)]

    assert in_turn == [True, True, False, True, False]
    assert set_back == [True, True, False]


def test_whoever_has_not_asked_for_two_windows_is_forgotten() -> None:
    counter = SlidingCounter(parse("100/second"))
    for number in range(1000):
        counter.wait_s(number, 10.0)

    counter.wait_s("another", 11.0)
    counter.wait_s("another", 12.0)

    assert not counter._counts_before.keys() - {"another"}
    assert counter._counts.keys() == {"another"}


def test_a_subject_over_its_rate_keeps_no_other_from_asking() -> None:
    rates = Rates("2/second", "4/second", FakeClock(10.0))
    noisy, quiet = (RESTAURANT, somebody("noisy")), (RESTAURANT, somebody("quiet"))

    assert are_counted(rates, *[noisy] * 9, quiet, quiet) == [True] * 2 + [False] * 7 + [True] * 2


def test_a_subjects_rate_is_that_of_all_its_restaurants() -> None:
    """Else whoever holds a role in every restaurant could name ever new ones."""
    rates = Rates("2/second", "100/second", FakeClock(10.0))

    asked = [(f"r-{number}", somebody()) for number in range(3)]

    assert are_counted(rates, *asked) == [True, True, False]


def test_a_restaurant_over_its_rate_keeps_no_other_from_asking() -> None:
    rates = Rates("100/second", "2/second", FakeClock(10.0))
    noisy = [(RESTAURANT, somebody(f"till-{number}")) for number in range(4)]

    assert are_counted(rates, *noisy, (OTHER, somebody())) == [True, True, False, False, True]


def test_guests_are_counted_by_their_orders() -> None:
    rates = Rates("1/second", "100/second", FakeClock(10.0))
    asked = [(RESTAURANT, a_guest(order)) for order in ("1", "1", "2")]

    assert are_counted(rates, *asked) == [True, False, True]


def test_guests_keep_no_till_from_asking_in_their_restaurant_or_another() -> None:
    rates = Rates("100/second", "1/second", FakeClock(10.0))
    guests = [(RESTAURANT, a_guest("1")), (OTHER, a_guest("2")), (OTHER, a_guest("3"))]
    tills = [(RESTAURANT, somebody()), (OTHER, somebody())]

    assert are_counted(rates, *guests, *tills) == [True, False, False, True, True]


@pytest.mark.parametrize("rate", ["1000/second", "90/5 minutes", "1 per hour"])
def test_a_rate_is_written_as_the_library_reads_it(rate: str) -> None:
    assert TypeAdapter(Rate).validate_python(rate) == rate


@pytest.mark.parametrize(
    "rate", ["", "off", "0/second", "-1/second", "1000", "5/second;9/minute", "1/day", "2/2 hours"]
)
def test_what_is_no_rate_or_one_of_none_is_refused_at_the_start(rate: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Rate).validate_python(rate)


def test_what_the_settings_say_is_what_counts() -> None:
    settings = AccessSettings(
        jwks="/none", issuer="us", rate_per_subject="1/hour", feeds_per_subject=1
    )
    admission = admission_by(settings, Withdrawals())
    admission._rates._clock = FakeClock(10.0)
    admission.count(RESTAURANT, somebody(), asked="")

    with pytest.raises(TooManyRequests):
        admission.count(RESTAURANT, somebody(), asked="")

    with admission.lease(RESTAURANT, somebody(), asked=""), pytest.raises(TooManyFeeds):
        admission.lease(RESTAURANT, somebody(), asked="").__enter__()


def service(
    rates: Rates | None = None, feeds: FeedPlaces | None = None, begun: asyncio.Event | None = None
) -> FastAPI:
    admission = Admission(a_verifier(), rates=rates, feeds=feeds)
    app = application("service", "", [], admission=admission)

    async def events() -> AsyncGenerator[bytes | None]:
        yield b"first"
        if begun:
            begun.set()
            await asyncio.Event().wait()

    @app.get(ORDERS, dependencies=[TILL])
    async def orders() -> str:
        return "orders"

    @app.get(LIVE, dependencies=[TILL])
    async def live() -> Response:
        return EventStream(events())

    @app.get("/public", dependencies=[PUBLIC])
    async def public() -> str:
        return "public"

    app.add_middleware(FastLane, lanes=[Lane("GET", LANE_PATH, take, TILL)])
    return app


async def got(app: FastAPI, path: str, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get(path, headers=headers)


def refused(reason: str) -> float:
    name = "comanda_access_refused_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


@pytest.mark.parametrize("path", [THE_ORDERS, f"{THE_ORDERS}?a=1"], ids=["lane", "route"])
async def test_who_asks_too_often_is_told_when_to_come_again(path: str) -> None:
    clock = FakeClock(10.0)
    app, token = service(Rates("2/5 seconds", "9/second", clock)), a_token()
    for _ in range(2):
        assert (await got(app, path, token)).status_code == 200
    before = refused("rate")

    answer = await got(app, path, token)

    assert answer.status_code == 429
    assert answer.json()["code"] == "too-many-requests"
    assert answer.headers["content-type"] == "application/problem+json"
    assert refused("rate") - before == 1
    clock.now_s += int(answer.headers["Retry-After"])
    assert (await got(app, path, token)).status_code == 200


async def test_what_is_public_and_who_is_not_let_in_count_for_nobody() -> None:
    app, token = service(Rates("1/second", "1/second", FakeClock(10.0))), a_token()
    kitchen = signed(claims(comanda={RESTAURANT: ["kitchen"]}))

    for _ in range(3):
        assert (await got(app, "/public", token)).status_code == 200
        assert (await got(app, THE_ORDERS, None)).status_code == 401
        assert (await got(app, THE_ORDERS, kitchen)).status_code == 403

    assert (await got(app, THE_ORDERS, token)).status_code == 200


async def test_a_feed_too_many_is_refused_before_its_start() -> None:
    begun, token = asyncio.Event(), a_token()
    app = service(feeds=FeedPlaces(1), begun=begun)
    path, other = LIVE.format(restaurant=RESTAURANT), a_token("gina")
    async with asyncio.timeout(60):
        open_feed = asyncio.create_task(got(app, path, token))
        await begun.wait()
        before = refused("feeds")

        one_more = await got(app, path, token)

        assert one_more.status_code == 429
        assert one_more.json()["code"] == "too-many-feeds"
        assert "Retry-After" in one_more.headers
        assert refused("feeds") - before == 1
        begun.clear()
        of_another = asyncio.create_task(got(app, path, other))
        await begun.wait()
        for each in (open_feed, of_another):
            each.cancel()
        await asyncio.wait([open_feed, of_another])
        begun.clear()
        again = asyncio.create_task(got(app, path, token))
        await begun.wait()
        again.cancel()
        await asyncio.wait([again])


async def test_a_feed_that_ends_by_itself_gives_its_place_back() -> None:
    app, token = service(feeds=FeedPlaces(1)), a_token()
    for _ in range(3):
        assert (await got(app, LIVE.format(restaurant=RESTAURANT), token)).text.endswith("first")


async def test_events_that_were_begun_for_a_refused_feed_are_ended() -> None:
    is_closed = False

    async def events() -> AsyncGenerator[bytes | None]:
        nonlocal is_closed
        try:
            yield b"first"
            yield b"second"
        finally:
            is_closed = True

    feed = events()
    stream = EventStream(feed, await anext(feed))
    places = FeedPlaces(1)
    lease = Admission(a_verifier(), feeds=places).lease

    scope = {"type": "http", "state": {"lease": lambda: lease(RESTAURANT, somebody(), asked="")}}

    with places.place(somebody()), pytest.raises(TooManyFeeds):
        await stream(scope, None, None)  # type: ignore[arg-type]

    assert is_closed
    assert not places._open


def test_a_guest_has_fewer_feeds_and_a_subject_of_the_same_name_its_own() -> None:
    places = FeedPlaces(FEEDS_PER_GUEST_MAX + 1)
    guests = [places.place(a_guest()) for _ in range(FEEDS_PER_GUEST_MAX + 1)]
    for each in guests[:-1]:
        each.__enter__()

    with pytest.raises(TooManyFeeds):
        guests[-1].__enter__()

    with places.place(a_guest("2")), places.place(somebody("guest")):
        pass
