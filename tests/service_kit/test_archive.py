"""The past of a stream stands beside it, on few subjects, whatever an operator has set there."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import (
    MENU,
    ORDERS,
    ORDERS_ARCHIVE,
    TICKETS,
    TICKETS_ARCHIVE,
    Archive,
)
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError
from service_kit.nats import set_up as setting_up
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import CannotSetUp, Limits, set_up, set_up_archive, set_up_stream
from service_kit.nats.stream_follower import follow_stream

from tests.conftest import NewNatsServer
from tests.support.eventually import eventually
from tests.support.streams import client_with

ORDER_ID = "0199b1c2-7d3e-7a4f-8b5c-6d7e8f901234"


@pytest.fixture
async def js(new_nats_server: NewNatsServer) -> AsyncIterator[JetStreamContext]:
    async with client_with(ORDERS, TICKETS, server=new_nats_server()) as client:
        yield client.jetstream()


async def archived(js: JetStreamContext, name: str, sequence: int) -> api.RawStreamMsg:
    async def found() -> api.RawStreamMsg | None:
        try:
            return await js.get_msg(name, sequence)
        except NotFoundError:
            return None

    message = await eventually(found)
    assert message
    return message


@pytest.mark.parametrize(
    ("archive", "subject", "becomes"),
    [
        (
            ORDERS_ARCHIVE,
            subjects.order("la-piazza", ORDER_ID, "placed"),
            subjects.archived_order("la-piazza", "placed"),
        ),
        (
            TICKETS_ARCHIVE,
            subjects.ticket("la-piazza", ORDER_ID, 2, "served"),
            subjects.archived_ticket("la-piazza", "served"),
        ),
    ],
    ids=["ORDERS", "TICKETS"],
)
async def test_a_message_is_archived_with_its_sequence_headers_and_body(
    js: JetStreamContext, archive: Archive, subject: str, becomes: str
) -> None:
    first = await js.publish(subject, b"before", headers={"ce-id": "1", "Nats-Msg-Id": "1"})
    await set_up_archive(js, archive, replicas=1)
    second = await js.publish(subject, b"after", headers={"ce-id": "2", "Nats-Msg-Id": "2"})

    for ack, body, event_id in ((first, b"before", "1"), (second, b"after", "2")):
        found = await archived(js, archive.name, ack.seq)
        assert (found.subject, found.data) == (becomes, body)
        assert found.headers == {"ce-id": event_id, "Nats-Msg-Id": event_id}


async def test_a_new_archive_is_compressed_and_bounded_as_given(js: JetStreamContext) -> None:
    limits = Limits({ORDERS_ARCHIVE.name: 1_000_000}, {ORDERS_ARCHIVE.name: 86_400})

    await set_up_archive(js, ORDERS_ARCHIVE, replicas=1, limits=limits)

    config = (await js.stream_info(ORDERS_ARCHIVE.name)).config
    assert config.compression == api.StoreCompression.S2
    assert (config.max_bytes, config.max_age) == (1_000_000, 86_400)


async def test_an_archive_keeps_what_an_operator_has_set(js: JetStreamContext) -> None:
    await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)
    found = (await js.stream_info(ORDERS_ARCHIVE.name)).config
    theirs = {"max_age": 5e8, "compression": api.StoreCompression.NONE, "description": "slow"}
    await js.update_stream(found.evolve(**theirs))
    before = (await js.stream_info(ORDERS_ARCHIVE.name)).config

    await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)

    assert (await js.stream_info(ORDERS_ARCHIVE.name)).config == before


async def test_what_leaves_the_stream_stays_in_the_archive(js: JetStreamContext) -> None:
    await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)
    ack = await js.publish(subjects.order("la-piazza", ORDER_ID, "placed"), b"1")
    await archived(js, ORDERS_ARCHIVE.name, ack.seq)

    await js.purge_stream(ORDERS.name)

    assert (await archived(js, ORDERS_ARCHIVE.name, ack.seq)).data == b"1"


async def test_a_stream_that_is_made_anew_goes_on_where_its_archive_ends(
    new_nats_server: NewNatsServer,
) -> None:
    server, subject = new_nats_server(), subjects.order("la-piazza", ORDER_ID, "placed")
    async with client_with(ORDERS, server=server) as client:
        js = client.jetstream()
        await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)
        before = await js.publish(subject, b"before")
        await archived(js, ORDERS_ARCHIVE.name, before.seq)
        await js.delete_stream(ORDERS.name)
        await set_up_stream(js, ORDERS, replicas=1)
    server.stop()
    server.start()  # it takes an archive some seconds to notice by itself

    async with connected([server.url], "test") as client:
        js = client.jetstream()
        await set_up_stream(js, ORDERS, replicas=1)
        after = await js.publish(subject, b"after")

        for ack, body in ((before, b"before"), (after, b"after")):
            assert (await archived(js, ORDERS_ARCHIVE.name, ack.seq)).data == body


HOT_S = 30.0 * 86_400


async def test_a_new_stream_with_an_archive_keeps_the_hot_window_and_any_other_what_it_kept(
    new_nats_server: NewNatsServer,
) -> None:
    limits = Limits(hot_s=HOT_S)
    async with connected([new_nats_server().url], "test") as client:
        for stream in (ORDERS, MENU):
            await set_up_stream(client.jetstream(), stream, replicas=1, limits=limits)

        infos = await client.jetstream().streams_info()

    assert {each.config.name: each.config.max_age for each in infos} == {"ORDERS": HOT_S, "MENU": 0}


async def test_a_stream_that_is_there_keeps_all_until_it_is_told_and_then_the_hot_window(
    new_nats_server: NewNatsServer,
) -> None:
    server = new_nats_server()
    async with client_with(ORDERS, server=server) as client:
        js = client.jetstream()
        told: list[tuple[float, float | None]] = []
        await js.publish(subjects.order("la-piazza", ORDER_ID, "placed"), b"1")

        async def before(_: Client, window_s: float) -> None:
            told.append((window_s, await max_age(js)))

        set_up_again = partial(
            set_up,
            Broker([server.url], "test"),
            [server.url],
            streams=[ORDERS],
            replicas=1,
            limits=Limits(hot_s=HOT_S),
            archives=[ORDERS_ARCHIVE],
            before_retention=before,
        )
        await set_up_again()
        untold = await max_age(js)
        await set_up_again(apply_retention=True)
        await set_up_again(apply_retention=True)

        assert (untold, await max_age(js), told) == (0, HOT_S, [(HOT_S, 0)])


async def test_an_age_that_is_given_waits_for_the_archive_too_but_a_longer_one(
    new_nats_server: NewNatsServer,
) -> None:
    server = new_nats_server()
    async with client_with(ORDERS, server=server) as client:
        js = client.jetstream()

        async def max_age_after(given_s: int, *, apply_retention: bool = False) -> float | None:
            await set_up(
                Broker([server.url], "test"),
                [server.url],
                streams=[ORDERS],
                replicas=1,
                limits=Limits(max_age_s={ORDERS.name: given_s}),
                archives=[ORDERS_ARCHIVE],
                apply_retention=apply_retention,
            )
            return await max_age(js)

        untold = await max_age_after(600)
        told = await max_age_after(600, apply_retention=True)

        assert (untold, told, await max_age_after(900)) == (0, 600, 900)


async def test_a_stream_keeps_all_while_its_archive_lacks_something(
    new_nats_server: NewNatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting_up, "ARCHIVE_CATCH_UP_S", 0.5)
    server = new_nats_server()
    async with client_with(ORDERS, server=server) as client:
        js = client.jetstream()
        await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)
        for number in range(3):
            await js.publish(subjects.order("la-piazza", ORDER_ID, "placed"), b"%d" % number)
        await archived(js, ORDERS_ARCHIVE.name, 3)
        await js.purge_stream(ORDERS_ARCHIVE.name, seq=3)
        broker = Broker([server.url], "test")

        with pytest.raises(CannotSetUp, match=r"ORDERS_ARCHIVE has messages 3 to 3, and ORDERS"):
            await set_up(
                broker,
                [server.url],
                streams=[ORDERS],
                replicas=1,
                limits=Limits(hot_s=HOT_S),
                archives=[ORDERS_ARCHIVE],
                apply_retention=True,
            )

        assert await max_age(js) == 0


async def max_age(js: JetStreamContext) -> float | None:
    return (await js.stream_info(ORDERS.name)).config.max_age


async def test_a_stream_is_read_by_its_own_subjects_though_its_archive_answers_for_it(
    js: JetStreamContext,
) -> None:
    """NATS has a mirror answer direct gets of its origin as often as the origin itself."""
    await set_up_archive(js, TICKETS_ARCHIVE, replicas=1)
    subject = subjects.ticket("la-piazza", ORDER_ID, 1, "queued")
    await js.publish(subject, b"{}")
    await archived(js, TICKETS_ARCHIVE.name, 1)

    for _ in range(20):
        async with contextlib.aclosing(follow_stream(js._nc, TICKETS, Found)) as messages:
            found = await anext(messages)
        assert found is not None
        assert (found.sequence, found.subject) == (1, subject)


@dataclass(frozen=True)
class Found:
    """A message as the follower makes it."""

    sequence: int
    subject: str
    headers: Mapping[str, str] | None
    body: bytes
