"""No user has anything delivered or answered to where it may not publish itself.

NATS looks at the subject of a message, not at where its answer is to go, and does not ask who may
publish on the subject that a consumer delivers to.
"""

import json
from collections.abc import AsyncIterator

import pytest
from comanda_contracts import streams
from comanda_local.servers import Nats
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import JETSTREAM_API, written_teams
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from service_kit.nats.set_up import set_up_consumer

from tests.permissions.conftest import SERVICES, STREAMS, ConnectAs, last_sequences
from tests.permissions.nats_user import NatsUser

READ = (
    *(streams.ORDERS, streams.TICKETS, streams.MENU, streams.RESTAURANTS),
    *(streams.ACCESS, streams.DEAD_LETTERS),
)
TILL = "till-la-piazza-1"
VICTIM = "victim"
"""A durable on each stream that is read, whose messages somebody is after."""
APIS = ("$JS.API", JETSTREAM_API)
TARGETS = (
    *(stream.subject.replace(">", "target.1.x") for stream in STREAMS),
    *(
        f"{api}.{question}.{stream.name}.{VICTIM}"
        for api in APIS
        for stream in READ
        for question in ("CONSUMER.MSG.NEXT", "CONSUMER.DELETE", "CONSUMER.PAUSE")
    ),
    *(
        f"{api}.STREAM.{question}.{stream.name}"
        for api in APIS
        for stream in READ
        for question in ("PURGE", "DELETE", "MSG.DELETE")
    ),
    *(f"$JS.ACK.{stream.name}.{VICTIM}.1.1.1.1.0" for stream in READ),
    *(f"$JS.ACK._.target.{stream.name}.{VICTIM}.1.1.1.1.0" for stream in READ),
    "$KV.serving.bookmark",
    "stored.tickets.v1.target.1.1.started",
    "stored.access.v1.target.1.withdrawn",
    "replies.v1.target.till-1.1",
    "_INBOX.target.1",
    *(f"_INBOX_{each}.target.1" for each in (*SERVICES, "operator")),
    "$SYS.REQ.SERVER.PING",
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.serving",
)
"""Subjects inside the account of the streams on which a message would do something."""

OWN = {
    "ordering": ["orders.v1.a.1.placed", "replies.v1.a.till.1", "dead-letters.v1.ordering.TICKETS"],
    "serving": ["tickets.v1.a.1.1.queued", "$KV.serving.other"],
    "query": ["dead-letters.v1.query.ORDERS"],
    TILL: ["commands.v1.la-piazza.place-order"],
    "notifier": [],
    "wallboard": [],
}
"""What each user that runs may publish."""
DURABLES = {
    "ordering": ["COMMANDS.ordering", "TICKETS.ordering"],
    "serving": ["ORDERS.serving"],
    "query": ["ORDERS.query", "MENU.query"],
    TILL: [],
    "notifier": ["ORDERS.notifier", "TICKETS.notifier"],
    "wallboard": ["ORDERS.wallboard", "TICKETS.wallboard"],
}
QUESTIONS = (
    *(f"STREAM.INFO.{stream.name}" for stream in STREAMS),
    *(f"STREAM.MSG.GET.{stream.name}" for stream in STREAMS),
    *(f"DIRECT.GET.{stream.name}" for stream in STREAMS),
)
CREATE = (
    "CONSUMER.CREATE.ORDERS",
    "CONSUMER.CREATE.ORDERS.{user}",
    "CONSUMER.CREATE.ORDERS.{user}.orders.v1.>",
    "CONSUMER.CREATE.ORDERS.{user}.orders.v1.*.*.placed",
    "CONSUMER.CREATE.ORDERS.{user}.orders.v1.la-piazza.>",
    "CONSUMER.DURABLE.CREATE.ORDERS.{user}",
    "CONSUMER.DURABLE.CREATE.ORDERS.query-audit",
    "CONSUMER.CREATE.ORDERS.query-rebuild",
)


async def begin_anew(js: JetStreamContext) -> None:
    for stream in STREAMS:
        await js.purge_stream(stream.name)
        for consumer in await js.consumers_info(stream.name):
            await js.delete_consumer(stream.name, consumer.name)


@pytest.fixture
async def spy(operator: NatsUser, server: Nats) -> AsyncIterator[list[str]]:
    """The targets at which something has come; in each stream there is a message for the victim."""
    js = operator.client.jetstream()
    await begin_anew(js)
    for stream in READ:
        await set_up_consumer(js, stream.name, VICTIM, [])
    for durables in DURABLES.values():
        for stream_name, _, name in (each.partition(".") for each in durables):
            if name in SERVICES:
                await set_up_consumer(js, stream_name, name, [])
    await make_consumers(server.url, written_teams())
    for stream in STREAMS:
        for _ in range(10):
            await js.publish(stream.subject.replace(">", "la-piazza.1.placed"), b'{"seq": 1}')
    come: list[str] = []

    async def note(message: Msg) -> None:
        if message.subject in TARGETS:
            come.append(message.subject)

    subscription = await operator.client.subscribe(">", cb=note)
    yield come
    await subscription.unsubscribe()


@pytest.mark.parametrize("user", OWN)
async def test_nobody_that_runs_has_a_consumer_deliver_anywhere(
    connect_as: ConnectAs, operator: NatsUser, spy: list[str], user: str
) -> None:
    connection = await connect_as(user)
    for name in (await consumers(operator))["ORDERS"] - {VICTIM}:
        await operator.client.jetstream().delete_consumer("ORDERS", name)
    before = await consumers(operator)

    for form in CREATE:
        for api in APIS:
            request = f"{api}.{form.format(user=user)}"
            _, _, filter_subject = request.partition(f"{user}.")
            _, _, name = request.removesuffix(f".{filter_subject}").rpartition(".")
            for target in TARGETS:
                config = {"name": name, "deliver_subject": target, "ack_policy": "none"}
                if filter_subject:
                    config["filter_subject"] = filter_subject
                if "DURABLE" in form:
                    config["durable_name"] = name
                body = {"stream_name": "ORDERS", "config": config}
                await connection.client.publish(request, json.dumps(body).encode(), "_INBOX.a")
    await connection.was_forbidden()

    assert await consumers(operator) == before
    assert spy == []


@pytest.mark.parametrize("user", OWN)
async def test_nobody_that_runs_has_an_answer_sent_to_what_is_not_its_own(
    connect_as: ConnectAs, operator: NatsUser, spy: list[str], user: str
) -> None:
    connection, before = await connect_as(user), await last_sequences(operator)
    settling = [f"$JS.ACK.{place}.1.{{0}}.{{0}}.1.0" for place in DURABLES[user]]
    settling += [f"$JS.ACK._.any.{place}.1.{{0}}.{{0}}.1.0" for place in DURABLES[user]]
    asking = [*QUESTIONS, *(f"CONSUMER.INFO.{each}" for each in DURABLES[user])]
    asking += [f"CONSUMER.MSG.NEXT.{each}" for each in DURABLES[user]]

    for number, target in enumerate(TARGETS):
        for question in asking:
            await connection.client.publish(f"{JETSTREAM_API}.{question}", b'{"seq": 1}', target)
        for settled in settling:
            await connection.client.publish(settled.format(number + 1), b"+NXT", target)
        for subject in OWN[user]:
            await connection.client.publish(subject, b"own", target)
    await connection.was_forbidden()
    await operator.was_forbidden()  # what was answered has come by now

    info = [await operator.client.jetstream().consumer_info(each.name, VICTIM) for each in READ]
    assert [each.delivered.consumer_seq if each.delivered else None for each in info] == [0] * len(
        READ
    )
    assert spy == []
    own = {subject.partition(".")[0].replace("-", "_").upper() for subject in OWN[user]}
    after = await last_sequences(operator)
    assert {name for name, last in after.items() if last != before.get(name)} <= {
        *own,
        "KV_serving",
    }


async def test_a_team_takes_no_others_message_by_settling_one(
    connect_as: ConnectAs, operator: NatsUser, spy: list[str]
) -> None:
    """A subject that names its durable further to the right is that of another's, all the same."""
    team = await connect_as("notifier")

    for place in ("ORDERS.victim.ORDERS.notifier", "ORDERS.notifier.ORDERS.victim"):
        await team.client.publish(f"$JS.ACK.{place}.1.1.1", b"+NXT", "_INBOX.b")
        await team.client.publish(f"$JS.ACK._.{place}.1.1.1", b"+NXT", "_INBOX.b")
    await team.was_forbidden()

    info = await operator.client.jetstream().consumer_info("ORDERS", VICTIM)
    assert info.delivered is not None
    assert (info.delivered.consumer_seq, spy) == (0, [])


async def consumers(operator: NatsUser) -> dict[str, set[str]]:
    js = operator.client.jetstream()
    return {each.name: {one.name for one in await js.consumers_info(each.name)} for each in STREAMS}
