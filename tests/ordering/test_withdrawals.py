"""Withdrawing access: from the route to the stream."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from comanda_contracts import read, subjects
from comanda_contracts.access import hash_of_subject
from comanda_contracts.streams import ACCESS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from ordering.domain import access
from ordering.domain.access import EVERY_RESTAURANT, Withdrawal, withdraw_access
from ordering.domain.refusals import TooManyWithdrawals, UnknownRestaurant, VersionMismatch
from ordering.inbound.http.access import access_routes
from ordering.outbound.outbox.outbox import PARTITIONS, STREAMS
from ordering.outbound.relay import lost_withdrawals
from ordering.outbound.relay.relayed_stream import PUBLISH_LOST_STATES, RelayedStream
from service_kit.access.principal import Principal
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.server import application
from service_kit.nats.jetstream import connected
from service_kit.nats.withdrawal_follower import access_components
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, running
from sqlalchemy import text

from tests.ordering.builders import NOON, a_restaurant
from tests.ordering.conftest import Database
from tests.ordering.relaying import a_relay, messages, outbox_is_empty, set_up_streams
from tests.ordering.use_cases import Store, open_la_piazza, setting, withdrawing_access
from tests.support.admission import own_admission
from tests.support.eventually import eventually
from tests.support.tokens import bearer

LUIGI = hash_of_subject("luigi@example.com")
LATER = NOON + timedelta(minutes=5)
LIVES_SINCE_NOON_S = 100 * 365 * 86_400.0
"""A life of tokens that began before `NOON`, whenever the tests are run."""
LUIGIS_TOKEN = Principal(
    subject="luigi@example.com",
    device=None,
    grants={},
    acting=frozenset(),
    issued_at=NOON.timestamp(),
    begins_at=NOON.timestamp(),
    expires_at=NOON.timestamp() + 3600,
)


def withdrawn(current: Withdrawal | None, at: Any) -> Withdrawal:
    event = withdraw_access(
        current, restaurant="la-piazza", subject_hash=LUIGI, at=at, actor="Gina"
    )
    assert (event.at, event.actor) == (at, "Gina")
    return event.withdrawal


def test_once_more_it_is_what_was_issued_since() -> None:
    first = withdrawn(None, NOON)

    second = withdrawn(first, LATER)

    assert (first.withdrawn_at, first.version) == (NOON, 1)
    assert (second.withdrawn_at, second.version) == (LATER, 2)


def test_the_time_does_not_go_back_with_a_replicas_clock() -> None:
    second = withdrawn(withdrawn(None, LATER), NOON)

    assert (second.withdrawn_at, second.version) == (LATER, 2)


def test_the_word_for_all_restaurants_is_that_of_the_contract() -> None:
    assert EVERY_RESTAURANT == subjects.EVERY_RESTAURANT


async def test_withdrawals_are_counted_by_subject_and_restaurant(store: Store) -> None:
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="da-mario")))

    made = [
        await store.run(withdrawing_access(*which))
        for which in ((LUIGI,), (LUIGI,), ("gina",), (LUIGI, "da-mario"), (LUIGI, EVERY_RESTAURANT))
    ]

    assert [each.version for each in made] == [1, 2, 1, 1, 1]


async def test_it_is_refused_where_there_is_no_such_restaurant_or_version(store: Store) -> None:
    with pytest.raises(UnknownRestaurant):
        await store.run(withdrawing_access(LUIGI))

    await open_la_piazza(store)
    await store.run(withdrawing_access(LUIGI))
    with pytest.raises(VersionMismatch):
        await store.run(withdrawing_access(LUIGI, version=2))


async def test_a_restaurant_has_a_bound_of_withdrawn_subjects(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One manager can't fill the stream for everybody; what is withdrawn can be so again."""
    monkeypatch.setattr(access, "WITHDRAWN_SUBJECTS_MAX", 2)
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="da-mario")))
    for subject in ("gina", LUIGI):
        await store.run(withdrawing_access(subject))

    with pytest.raises(TooManyWithdrawals):
        await store.run(withdrawing_access("mario"))
    allowed = [
        await store.run(withdrawing_access(*which))
        for which in (
            (LUIGI,),
            ("mario", "da-mario"),
            ("a", EVERY_RESTAURANT),
            ("b", EVERY_RESTAURANT),
            ("c", EVERY_RESTAURANT),
        )
    ]

    assert [each.version for each in allowed] == [2, 1, 1, 1, 1]


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    store = database.replica()
    await open_la_piazza(store)
    app = application("ordering", "", [], admission=own_admission())
    app.include_router(access_routes(store, lambda: NOON))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ordering/v1/restaurants", headers=bearer()
    ) as client:
        yield client


def path(subject: str, restaurant: str = "la-piazza") -> str:
    return f"/{restaurant}/access/{subject}/withdraw"


async def test_a_subject_is_named_as_it_is_or_by_its_hash(http: httpx.AsyncClient) -> None:
    by_name = await http.post(path("auth0%7C5f7c"), headers={"Comanda-Actor": "Gina"})
    by_hash = await http.post(path(f"sha256:{hash_of_subject('auth0|5f7c')}"))

    assert by_name.json() == {
        "restaurant": "la-piazza",
        "version": 1,
        "subject_hash": hash_of_subject("auth0|5f7c"),
        "withdrawn_at": "2026-05-04T12:00:00.000000Z",
    }
    assert (by_name.status_code, by_name.headers["ETag"]) == (200, '"1"')
    assert by_hash.json() == by_name.json() | {"version": 2}


@pytest.mark.parametrize(
    ("where", "status", "code"),
    [
        (path("luigi", "la-pizza"), 404, "unknown-restaurant"),
        (path("luigi", "_all"), 422, "invalid-request"),
        (path("luigi", "*"), 422, "invalid-request"),
        (path("sha256:abc"), 422, "invalid-request"),
        (path("x" * 256), 422, "invalid-request"),
        (path("idp%2Fluigi"), 400, "malformed-path"),
    ],
)
async def test_what_can_not_be_withdrawn_is_refused(
    http: httpx.AsyncClient, where: str, status: int, code: str
) -> None:
    answer = await http.post(where)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_request_with_a_key_withdraws_once(http: httpx.AsyncClient) -> None:
    once, again = [
        await http.post(path("luigi", EVERY_RESTAURANT), headers={"Idempotency-Key": "a"})
        for _ in range(2)
    ]

    assert once.json()["restaurant"] == EVERY_RESTAURANT
    assert (once.json()["version"], again.json()) == (1, once.json())


@contextlib.asynccontextmanager
async def streams_of(server: Nats) -> AsyncIterator[JetStreamContext]:
    await set_up_streams(server)
    async with connected([server.url], "test") as client:
        yield client.jetstream()


async def on_the_stream(js: JetStreamContext) -> list[tuple[str, int]]:
    events = [read(each.headers, each.data).state for each in await messages(js, ACCESS)]
    return [(event.restaurant, event.version) for event in events]


@pytest.mark.servers
async def test_the_stream_has_the_newest_and_gets_it_again_and_no_older_one(
    database: Database, nats_server: Nats
) -> None:
    """The older ones were not lost: published again, they would take the newest one's place."""
    store = database.replica()
    await open_la_piazza(store)
    async with streams_of(nats_server) as js:
        relay = a_relay(database, nats_server)
        async with running([relay]):
            await js.purge_stream(ACCESS.name)
            for _ in range(3):
                await store.run(withdrawing_access(LUIGI))
            await store.run(withdrawing_access(LUIGI, EVERY_RESTAURANT))
            await eventually(outbox_is_empty(database))
        before = sorted(await on_the_stream(js))

        await compare(database, nats_server)
        lost_none = await outbox_is_empty(database)()
        await js.purge_stream(ACCESS.name)
        await compare(database, nats_server)
        lost = await database.rows("SELECT count(*) FROM outbox WHERE sequence IS NULL")

    assert before == [(EVERY_RESTAURANT, 1), ("la-piazza", 3)]
    assert lost_none
    assert lost == [(2,)]


async def compare(
    database: Database, server: Nats, token_life_max_s: float = LIVES_SINCE_NOON_S
) -> RelayedStream:
    """Look once whether the stream has what it acknowledged."""
    stream = RelayedStream(ACCESS.name, newest_only=True, token_life_max_s=token_life_max_s)
    async with (
        database.engine.begin() as connection,
        connected([server.url], "test") as client,
    ):
        await stream.compare(connection, client, range(16))
    return stream


def _relay(database: Database, server: Nats) -> Component:
    return a_relay(database, server, token_life_max_s=LIVES_SINCE_NOON_S)


async def forget_published(database: Database) -> None:
    """As is done five minutes after."""
    async with database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM outbox WHERE sequence IS NOT NULL"))


async def waiting_versions(database: Database) -> list[int]:
    rows = await database.rows(
        "SELECT body FROM outbox WHERE sequence IS NULL AND subject LIKE 'access.%' ORDER BY id"
    )
    return [orjson.loads(str(body, "utf8"))["withdrawal"]["version"] for (body,) in rows]  # type: ignore[call-overload]


async def lets_luigi_in(server: Nats) -> bool:
    """Whether a service that starts now lets in what was issued to him until `LATER`."""
    known = Withdrawals(clock=LATER.timestamp)
    async with connected([server.url], "serving") as client:

        async def own() -> Client:
            return client

        access, follower = access_components(known, own)

        async def has_read() -> bool:
            return access.ready and follower.ready

        async with running([access, follower]):
            await eventually(has_read)
    return not known.is_withdrawn("la-piazza", LUIGIS_TOKEN)


async def purge(js: JetStreamContext, _: list[Msg]) -> None:
    await js.purge_stream(ACCESS.name)


async def make_anew(js: JetStreamContext, _: list[Msg]) -> None:
    config = (await js.stream_info(ACCESS.name)).config
    await js.delete_stream(ACCESS.name)
    await js.add_stream(config)


async def bring_back(js: JetStreamContext, older: list[Msg]) -> None:
    await purge(js, older)
    for each in older:
        await js.publish(each.subject, each.data, headers=each.headers)


Loss = Callable[[JetStreamContext, list[Msg]], Awaitable[None]]


@pytest.mark.servers
@pytest.mark.parametrize("lose", [purge, make_anew, bring_back])
@pytest.mark.parametrize("is_relaying", [True, False], ids=["relaying", "before the relay"])
async def test_what_the_stream_lost_long_after_keeps_out_whom_it_kept_out(
    database: Database, nats_server: Nats, lose: Loss, *, is_relaying: bool
) -> None:
    """Also of a service that starts after it, and where an older copy came back."""
    store = database.replica()
    await open_la_piazza(store)
    async with streams_of(nats_server) as js:
        async with running([_relay(database, nats_server)]):
            await store.run(withdrawing_access(LUIGI, at=NOON - timedelta(days=1)))
            await eventually(outbox_is_empty(database))
            older = await messages(js, ACCESS)
            await store.run(withdrawing_access(LUIGI, at=LATER))
            await eventually(outbox_is_empty(database))
            await forget_published(database)
            if is_relaying:
                await lose(js, older)
                await eventually(lambda: lets_luigi_in(nats_server), lambda lets_in: not lets_in)
        if not is_relaying:
            await lose(js, older)
            assert await lets_luigi_in(nats_server)
            async with running([_relay(database, nats_server)]):
                await eventually(lambda: lets_luigi_in(nats_server), lambda lets_in: not lets_in)

        assert (await on_the_stream(js))[-1] == ("la-piazza", 2)


@pytest.mark.servers
async def test_what_the_stream_has_or_is_to_get_is_not_published_again(
    database: Database, nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_withdrawals, "COMPARED_WITHDRAWALS", 2)
    store = database.replica()
    await open_la_piazza(store)
    async with streams_of(nats_server) as js:
        for number in range(5):
            await store.run(withdrawing_access(str(number)))
        await compare(database, nats_server)
        waiting = await waiting_versions(database)
        async with running([a_relay(database, nats_server)]):
            await eventually(outbox_is_empty(database))
        await forget_published(database)

        await compare(database, nats_server)
        while_it_has = await waiting_versions(database)
        await js.purge_stream(ACCESS.name)
        await compare(database, nats_server)
        await compare(database, nats_server)
        once_lost = await waiting_versions(database)

    assert (waiting, while_it_has, once_lost) == ([1] * 5, [], [1] * 5)


@pytest.mark.servers
async def test_one_that_keeps_nobody_out_any_more_is_not_lost(
    database: Database, nats_server: Nats
) -> None:
    """The stream drops it by its age, in good order."""
    store, life = database.replica(), timedelta(days=7)
    await open_la_piazza(store)
    async with streams_of(nats_server):
        for subject, age in (("old", life + timedelta(hours=1)), ("new", life / 2)):
            await store.run(withdrawing_access(subject, at=utc_now() - age))
        await database.administer("DELETE FROM outbox")

        await compare(database, nats_server, life.total_seconds())
        lost = await database.rows("SELECT aggregate FROM outbox")

    assert lost == [("access.v1.la-piazza.new",)]


@pytest.mark.servers
async def test_one_that_is_withdrawn_again_just_now_is_not_overtaken_by_what_was_lost(
    database: Database, nats_server: Nats
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    async with streams_of(nats_server):
        await store.run(withdrawing_access(LUIGI))
        await store.run(withdrawing_access("gina"))
        await database.administer("DELETE FROM outbox")
        async with database.engine.begin() as connection:
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            again = text("UPDATE withdrawals SET version = 2 WHERE subject_hash = :subject_hash")
            await connection.execute(again, {"subject_hash": LUIGI})
            stream = await compare(database, nats_server)
            meanwhile = await waiting_versions(database)
        await compare(database, nats_server)

    assert len(stream.compared) == PARTITIONS - 1, "it is compared once more"
    assert (meanwhile, await waiting_versions(database)) == ([1], [1, 2])


def test_each_stream_of_states_gets_again_what_it_lost() -> None:
    of_states = {stream.name for stream in STREAMS if stream.newest_only}

    assert of_states == PUBLISH_LOST_STATES.keys()
