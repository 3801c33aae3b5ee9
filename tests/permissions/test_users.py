"""Each user may do what it needs, and nothing else."""

import asyncio

import nats
import nats.errors
import pytest
from comanda_contracts import streams
from comanda_local.servers import Nats
from comanda_local.teams import JETSTREAM_API
from nats.js import api
from service_kit.nats import past, stream_follower
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_consumer
from service_kit.runtime.nats_servers import NatsServers
from serving.outbound.ticket_changes import TicketMessage

from tests.permissions.conftest import STREAMS, ConnectAs
from tests.permissions.nats_user import NatsUser

GETS = ("STREAM.MSG.GET", "DIRECT.GET")
"""How single messages of a stream are asked for."""

TILL = "till-la-piazza-1"
OPERATORS = ("ordering-operator", "serving-operator", "query-operator")
"""Who does for a service what an operator starts: they alone make streams and consumers."""
USERS = ("ordering", "serving", "query", *OPERATORS, TILL, "notifier", "wallboard")
MAY_PUBLISH = {
    "orders.v1.la-piazza.1.placed": {"ordering"},
    "restaurants.v1.la-piazza.set": {"ordering"},
    "menu.v1.la-piazza.cola.item-set": {"ordering"},
    "access.v1.la-piazza.hash.withdrawn": {"ordering"},
    "stored.access.v1.la-piazza.hash.withdrawn": set(),
    "tickets.v1.la-piazza.1.1.started": {"serving", "serving-operator"},
    "commands.v1.la-piazza.place-order": {TILL},
    "commands.v1.da-mario.place-order": set(),
    "replies.v1.la-piazza.till-1": {"ordering", "ordering-operator"},
    "dead-letters.v1.ordering.TICKETS": {"ordering"},
    "dead-letters.v1.serving.ORDERS": {"serving"},
    "dead-letters.v1.query.ORDERS": {"query"},
    "_INBOX_ordering.forged": set(),
    "_INBOX.forged": set(),
    "anything.else": set(),
}
"""Who may publish on a subject, beside the operator."""

MAY_ASK = {
    "STREAM.INFO.ORDERS": {"ordering", "serving", "query", *OPERATORS},
    "STREAM.INFO.TICKETS": {"ordering", "serving", "query", *OPERATORS},
    "STREAM.INFO.COMMANDS": {"ordering", "ordering-operator", "query", "query-operator"},
    "STREAM.INFO.ACCESS": {"ordering", "ordering-operator", "serving", "query", "query-operator"},
    "STREAM.CREATE.OTHER": set(),
    "STREAM.CREATE.ORDERS": {"ordering-operator"},
    "STREAM.UPDATE.ORDERS": {"ordering-operator"},
    "STREAM.UPDATE.TICKETS": {"serving-operator"},
    "STREAM.CREATE.ORDERS_ARCHIVE": {"ordering-operator"},
    "STREAM.UPDATE.TICKETS_ARCHIVE": {"serving-operator"},
    "STREAM.MSG.DELETE.ORDERS_ARCHIVE": {"ordering"},
    "STREAM.MSG.DELETE.TICKETS_ARCHIVE": {"serving"},
    "STREAM.MSG.GET.TICKETS_ARCHIVE": {"serving", "query", "query-operator"},
    "CONSUMER.CREATE.ORDERS_ARCHIVE.query-rebuild": {"query-operator"},
    "STREAM.UPDATE.ACCESS": {"ordering-operator"},
    "STREAM.MSG.DELETE.ACCESS": set(),
    "STREAM.UPDATE.COMMANDS": {"ordering-operator"},
    "STREAM.UPDATE.DEAD_LETTERS": {"ordering-operator"},
    "STREAM.MSG.DELETE.ORDERS": {"ordering"},
    "STREAM.MSG.DELETE.TICKETS": {"serving"},
    "STREAM.MSG.DELETE.RESTAURANTS": set(),
    "STREAM.MSG.DELETE.MENU": set(),
    "STREAM.MSG.DELETE.COMMANDS": set(),
    "STREAM.MSG.DELETE.DEAD_LETTERS": {"ordering", "serving", "query", *OPERATORS},
    "STREAM.MSG.GET.COMMANDS": set(),
    "STREAM.MSG.GET.ORDERS": {"ordering", "query", *OPERATORS},
    "STREAM.MSG.GET.TICKETS": {"serving", "query", *OPERATORS},
    "STREAM.MSG.GET.ACCESS": {"ordering", "serving", "query", "query-operator"},
    "STREAM.MSG.GET.DEAD_LETTERS": {"query", *OPERATORS},
    "DIRECT.GET.COMMANDS": set(),
    "DIRECT.GET.COMMANDS.commands.v1.la-piazza.place-order": set(),
    "STREAM.SNAPSHOT.ORDERS": set(),
    "STREAM.RESTORE.OTHER": set(),
    "STREAM.LEADER.STEPDOWN.ORDERS": set(),
    "CONSUMER.DURABLE.CREATE.COMMANDS.ordering": {"ordering-operator"},
    "CONSUMER.DURABLE.CREATE.COMMANDS.query": set(),
    "CONSUMER.CREATE.COMMANDS.query-audit": set(),
    "CONSUMER.CREATE.COMMANDS": set(),
    "CONSUMER.DURABLE.CREATE.ORDERS.serving": {"serving-operator"},
    "CONSUMER.DURABLE.CREATE.ORDERS.serving-forgetting": {"serving-operator"},
    "CONSUMER.DURABLE.CREATE.ORDERS.query": {"query-operator"},
    "CONSUMER.CREATE.ORDERS.query-audit": {"query-operator"},
    "CONSUMER.CREATE.ORDERS.query-rebuild.orders.v1.>": {"query-operator"},
    "CONSUMER.CREATE.ORDERS": set(),
    "CONSUMER.CREATE.TICKETS": set(),
    "CONSUMER.CREATE.ACCESS": set(),
    "CONSUMER.DELETE.ORDERS.serving": set(),
    "CONSUMER.DELETE.ORDERS.query-audit": {"query-operator"},
    "CONSUMER.PAUSE.ORDERS.serving": set(),
    "CONSUMER.LIST.ORDERS": set(),
}
"""Who may make a request of JetStream's API, beside the operator."""


@pytest.mark.parametrize("user", USERS)
async def test_a_user_publishes_on_the_subjects_that_are_its_own(
    connect_as: ConnectAs, user: str
) -> None:
    connection = await connect_as(user)

    allowed = {subject for subject in MAY_PUBLISH if await connection.may_publish(subject)}

    assert allowed == {subject for subject, users in MAY_PUBLISH.items() if user in users}


@pytest.mark.parametrize("user", USERS)
async def test_a_user_asks_of_jetstream_what_it_needs(connect_as: ConnectAs, user: str) -> None:
    connection = await connect_as(user)

    answered = {
        request for request in MAY_ASK if await connection.ask(f"{JETSTREAM_API}.{request}")
    }
    also = {request for request in MAY_ASK if await connection.ask(f"$JS.API.{request}")}

    assert answered == {request for request, users in MAY_ASK.items() if user in users}
    assert also == set()


@pytest.mark.parametrize("user", USERS)
async def test_nobody_deletes_or_purges_a_stream(
    connect_as: ConnectAs, user: str, operator: NatsUser
) -> None:
    connection = await connect_as(user)

    for stream in STREAMS:
        for request in ("DELETE", "PURGE"):
            assert await connection.ask(f"$JS.API.STREAM.{request}.{stream.name}") is None
            assert await connection.ask(f"{JETSTREAM_API}.STREAM.{request}.{stream.name}") is None

    names = {each.config.name for each in await operator.client.jetstream().streams_info()}
    assert {stream.name for stream in STREAMS} <= names


async def test_the_operator_may(operator: NatsUser) -> None:
    js = operator.client.jetstream()
    await js.add_stream(api.StreamConfig("SPARE", subjects=["spare"]))

    await js.purge_stream("SPARE")

    assert await js.delete_stream("SPARE")


@pytest.mark.parametrize("user", USERS)
async def test_nobody_reads_past_jetstream_or_in_anothers_inbox(
    connect_as: ConnectAs, user: str
) -> None:
    connection = await connect_as(user)
    others = {f"_INBOX_{each}.>" for each in ("ordering", "serving", "query", *OPERATORS)}
    others.discard(f"_INBOX_{user}.>")

    if user != "serving":
        others.add(stream_follower.stored_subjects(streams.TICKETS))
    if user not in ("serving", "query"):
        others.add(stream_follower.stored_subjects(streams.ACCESS))
    subjects = [">", "$JS.>", "stored.>", *others, *(each.subject for each in STREAMS)]

    assert [each for each in subjects if await connection.may_subscribe(each)] == []


async def test_a_service_does_not_take_or_settle_what_another_is_given(
    connect_as: ConnectAs, operator: NatsUser
) -> None:
    js = operator.client.jetstream()
    await js.add_consumer(streams.ORDERS.name, api.ConsumerConfig(durable_name="serving"))
    query = await connect_as("query")

    assert await query.ask(f"{JETSTREAM_API}.CONSUMER.MSG.NEXT.ORDERS.serving") is None
    assert not await query.may_publish("$JS.ACK.ORDERS.serving.1.1.1.1.0")


@pytest.mark.parametrize(
    ("service", "stream"),
    [
        ("ordering", streams.COMMANDS),
        ("ordering", streams.TICKETS),
        ("serving", streams.ORDERS),
        *(("query", each) for each in (streams.ORDERS, streams.TICKETS, streams.MENU)),
    ],
)
async def test_a_service_sets_its_durable_up_again_with_another_filter(
    connect_as: ConnectAs, service: str, stream: streams.Stream, operator: NatsUser
) -> None:
    connection = await connect_as(f"{service}-operator")
    js = connection.client.jetstream(prefix=JETSTREAM_API)
    one_restaurant = stream.subject.replace(">", "la-piazza.>")

    for filters in ([one_restaurant], [one_restaurant], [stream.subject]):
        await set_up_consumer(js, stream.name, service, filters)

    durable = await operator.client.jetstream().consumer_info(stream.name, service)
    assert durable.config.filter_subjects == [stream.subject]
    assert not await connection.was_forbidden()


@pytest.mark.parametrize(
    ("service", "stream"),
    [
        *(("ordering", each) for each in (streams.COMMANDS, streams.TICKETS)),
        ("serving", streams.ORDERS),
        *(("query", each) for each in (streams.ORDERS, streams.MENU)),
    ],
)
async def test_a_service_takes_and_settles_what_its_durable_has(
    connect_as: ConnectAs, operator: NatsUser, service: str, stream: streams.Stream
) -> None:
    js = operator.client.jetstream()
    await js.purge_stream(stream.name)
    await set_up_consumer(js, stream.name, service, [stream.subject])
    await js.publish(stream.subject.replace(">", "a.1.x"), b"")
    connection = await connect_as(service)

    own = connection.client.jetstream(prefix=JETSTREAM_API)
    subscription = await own.pull_subscribe_bind(service, stream.name)
    (message,) = await subscription.fetch(1, 10)
    await message.ack_sync()

    assert (await js.consumer_info(stream.name, service)).num_ack_pending == 0
    assert not await connection.was_forbidden()


async def test_serving_follows_its_stream(
    server: Nats, connect_as: ConnectAs, operator: NatsUser
) -> None:
    await stream_follower.set_up_stored_subjects(operator.client.jetstream(), streams.TICKETS)
    kept = "tickets.v1.a.7.1.queued"
    for number in range(2 * past.BATCH_MESSAGES):
        await operator.client.publish(kept, f"{number}".encode())
    last = (await operator.client.jetstream().publish(kept, b"last")).seq

    servers = NatsServers([server.url_of("serving")], nkey=str(server.seed_file_of("serving")))
    async with connected(servers, "serving") as serving:
        messages = stream_follower.follow_stream(
            serving, streams.TICKETS, TicketMessage, after=last - 1000
        )
        backlog = [await anext(messages) for _ in range(1001)]
        live = await operator.client.jetstream().publish(kept, b"live")
        heard = await asyncio.wait_for(anext(messages), 10)
        await messages.aclose()

    assert [each and each.sequence for each in backlog] == [*range(last - 999, last + 1), None]
    assert heard is not None
    assert (heard.sequence, heard.subject, heard.body) == (live.seq, kept, b"live")


async def test_the_system_user_is_answered_by_the_server_and_has_no_streams(
    connect_as: ConnectAs,
) -> None:
    system = await connect_as("system")

    assert (await system.ask("$SYS.REQ.SERVER.PING.JSZ"))["data"]["streams"] >= len(STREAMS)
    assert "error" in await system.ask("$JS.API.STREAM.INFO.ORDERS")


@pytest.mark.parametrize("user", USERS)
async def test_nobody_else_asks_the_server(connect_as: ConnectAs, user: str) -> None:
    connection = await connect_as(user)

    assert await connection.ask("$SYS.REQ.SERVER.PING.JSZ") is None


async def test_a_till_hears_its_own_answers_alone(connect_as: ConnectAs) -> None:
    till = await connect_as(TILL)

    assert await till.may_subscribe("replies.v1.la-piazza.1.>")
    for subject in (
        "replies.v1.>",
        "replies.v1.la-piazza.>",
        "replies.v1.la-piazza.2.>",
        "replies.v1.da-mario.1.>",
        "_INBOX.>",
        "_INBOX.a.b",
        "commands.v1.la-piazza.*",
    ):
        assert not await till.may_subscribe(subject), subject


@pytest.mark.parametrize("password", [None, "wrong"])
async def test_a_stranger_is_not_let_in(server: Nats, password: str | None) -> None:
    address = server.url.rpartition("@")[2]
    who = f"operator:{password}@" if password else ""

    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await nats.connect(
            f"nats://{who}{address}", allow_reconnect=False, max_reconnect_attempts=0
        )
