"""A team reads what it was granted, by consumers of its own, and publishes nothing."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from comanda_contracts.streams import COMMANDS, MENU, ORDERS, TICKETS
from comanda_local.teams import JETSTREAM_API
from nats.aio.msg import Msg
from nats.js import api

from tests.permissions.conftest import STREAMS, ConnectAs, last_sequences
from tests.permissions.nats_user import NatsUser

PLACED = "orders.v1.*.*.placed"
"""What `notifier` was granted of the orders."""
CREATE = f"{JETSTREAM_API}.CONSUMER.CREATE"
OWN = f"{CREATE}.ORDERS.notifier"


@pytest.fixture
async def notifier(connect_as: ConnectAs, operator: NatsUser) -> AsyncIterator[NatsUser]:
    js = operator.client.jetstream()
    for stream in (ORDERS, TICKETS, COMMANDS):
        await js.purge_stream(stream.name)
    yield await connect_as("notifier")
    await operator.ask("$JS.API.CONSUMER.DELETE.ORDERS.notifier")
    await operator.ask("$JS.API.CONSUMER.DELETE.ORDERS.wallboard")


async def publish(operator: NatsUser, *subjects: str) -> None:
    for subject in subjects:
        await operator.client.jetstream().publish(subject, subject.encode())


async def read(team: NatsUser, consumer: str, filter_subject: str) -> list[Msg]:
    """All that the team's consumer of this filter has for it, settled."""
    js = team.client.jetstream(prefix=JETSTREAM_API)
    config = api.ConsumerConfig(
        name=consumer, durable_name=consumer, ack_policy=api.AckPolicy.EXPLICIT
    )
    await js.add_consumer(ORDERS.name, config, filter_subject=filter_subject)
    subscription = await js.pull_subscribe_bind(consumer, ORDERS.name)
    pending = (await subscription.consumer_info()).num_pending or 0
    messages = await subscription.fetch(pending, 10)
    for message in messages:
        await message.ack_sync()
    return messages


def request(**config: Any) -> dict[str, Any]:
    return {"stream_name": "ORDERS", "config": {"name": "notifier", **config}}


async def test_a_team_reads_what_it_was_granted(notifier: NatsUser, operator: NatsUser) -> None:
    await publish(operator, "orders.v1.a.1.placed", "orders.v1.a.1.closed", "orders.v1.b.2.placed")

    messages = await read(notifier, "notifier", PLACED)

    assert [each.data for each in messages] == [b"orders.v1.a.1.placed", b"orders.v1.b.2.placed"]
    info = await notifier.client.jetstream(prefix=JETSTREAM_API).consumer_info(
        ORDERS.name, "notifier"
    )
    assert (info.num_ack_pending, info.num_pending) == (0, 0)


async def test_a_team_may_read_less_than_it_was_granted(
    notifier: NatsUser, operator: NatsUser
) -> None:
    await publish(operator, "orders.v1.a.1.placed", "orders.v1.b.2.placed")

    messages = await read(notifier, "notifier", "orders.v1.b.*.placed")

    assert [each.data for each in messages] == [b"orders.v1.b.2.placed"]


async def test_a_team_of_one_restaurant_reads_that_one(
    notifier: NatsUser, connect_as: ConnectAs, operator: NatsUser
) -> None:
    await publish(operator, "orders.v1.la-piazza.1.placed", "orders.v1.b.2.placed")
    wallboard = await connect_as("wallboard")

    messages = await read(wallboard, "wallboard", "orders.v1.la-piazza.>")

    assert [each.data for each in messages] == [b"orders.v1.la-piazza.1.placed"]
    others = {"stream_name": "ORDERS", "config": {"name": "wallboard", "filter_subject": PLACED}}
    assert await wallboard.ask(f"{CREATE}.ORDERS.wallboard.{PLACED}", others) is None


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (f"{OWN}.orders.v1.>", request(filter_subject="orders.v1.>")),
        (f"{OWN}.orders.v1.*.*.*", request(filter_subject="orders.v1.*.*.*")),
        (f"{OWN}.orders.v1.*.*.>", request(filter_subject="orders.v1.*.*.>")),
        (f"{OWN}.orders.v1.*.*.closed", request(filter_subject="orders.v1.*.*.closed")),
        (f"{OWN}.orders.v1.*.>.placed", request(filter_subject="orders.v1.*.>.placed")),
        (f"{OWN}.{PLACED}", request(filter_subject="orders.v1.>")),
        (f"{OWN}.{PLACED}", request()),
        (f"{OWN}.{PLACED}", request(filter_subjects=["orders.v1.>"])),
        (f"{OWN}.{PLACED}", request(filter_subjects=[PLACED, "orders.v1.*.*.closed"])),
        (f"{OWN}.{PLACED}", request(filter_subject=PLACED, filter_subjects=["orders.v1.>"])),
        (f"{OWN}.{PLACED}", request(filter_subject=PLACED) | {"stream_name": "COMMANDS"}),
        (f"{OWN}.{PLACED}", request(filter_subject=PLACED, durable_name="query")),
        (OWN, request(filter_subjects=[PLACED])),
        (f"{CREATE}.ORDERS", request(filter_subject=PLACED)),
        (
            f"{JETSTREAM_API}.CONSUMER.DURABLE.CREATE.ORDERS.notifier",
            request(filter_subject=PLACED),
        ),
        (f"{CREATE}.ORDERS.query.{PLACED}", request(filter_subject=PLACED, name="query")),
        (f"{CREATE}.ORDERS.notifier-2.{PLACED}", request(filter_subject=PLACED, name="notifier-2")),
        (f"{CREATE}.MENU.notifier.menu.v1.>", request(filter_subject="menu.v1.>")),
    ],
)
async def test_a_team_gets_no_other_consumer(
    notifier: NatsUser, operator: NatsUser, subject: str, body: dict[str, Any]
) -> None:
    answer = await notifier.ask(subject, body)

    assert answer is None or "error" in answer
    js = operator.client.jetstream()
    for stream in (ORDERS, MENU, COMMANDS):
        assert "notifier" not in {info.name for info in await js.consumers_info(stream.name)}


async def test_a_team_touches_nobody_elses_consumer(notifier: NatsUser, operator: NatsUser) -> None:
    js = operator.client.jetstream()
    await js.add_consumer(ORDERS.name, api.ConsumerConfig(durable_name="query"))

    for request_ in ("INFO", "DELETE", "MSG.NEXT", "PAUSE", "RESET"):
        assert await notifier.ask(f"{JETSTREAM_API}.CONSUMER.{request_}.ORDERS.query") is None

    assert (await js.consumer_info(ORDERS.name, "query")).name == "query"


async def test_a_team_has_no_answer_sent_to_a_stream(
    notifier: NatsUser, operator: NatsUser
) -> None:
    """NATS looks at the subject of a message, not at where its answer is to go."""
    await publish(operator, "orders.v1.a.1.placed")
    await read(notifier, "notifier", PLACED)
    await publish(operator, "orders.v1.a.2.placed")
    before = await last_sequences(operator)

    for stream in STREAMS:
        target = stream.subject.replace(">", f"a.{uuid.uuid4()}.x")
        for question in ("INFO", "MSG.NEXT"):
            await notifier.client.publish(
                f"{JETSTREAM_API}.CONSUMER.{question}.ORDERS.notifier", b"", reply=target
            )
    assert await notifier.ask(f"{JETSTREAM_API}.CONSUMER.INFO.ORDERS.notifier"), (
        "they are answered by now"
    )

    assert await last_sequences(operator) == before


async def test_a_team_has_no_consumer_deliver_to_a_stream(
    notifier: NatsUser, operator: NatsUser
) -> None:
    await publish(operator, "orders.v1.a.1.placed")
    before = await last_sequences(operator)

    for stream in STREAMS:
        target = stream.subject.replace(">", f"a.{uuid.uuid4()}.x")
        body = request(filter_subject=PLACED, deliver_subject=target, ack_policy="none")
        await notifier.ask(f"{OWN}.{PLACED}", body)
        info = await notifier.ask(f"{JETSTREAM_API}.CONSUMER.INFO.ORDERS.notifier")
        assert stream is ORDERS or info["delivered"]["consumer_seq"] == 0
        await notifier.ask(f"{JETSTREAM_API}.CONSUMER.DELETE.ORDERS.notifier")

    assert await last_sequences(operator) == before
