"""A team reads what it was granted, by consumers that the operator makes, and does nothing else."""

from typing import Any

import pytest
from comanda_contracts.streams import COMMANDS, ORDERS, TICKETS
from comanda_local.servers import Nats
from comanda_local.team_consumers import make_consumers, restart_consumers
from comanda_local.teams import JETSTREAM_API, Team, covers, written_teams
from nats.aio.msg import Msg
from nats.js import api

from tests.permissions.conftest import ConnectAs
from tests.permissions.nats_user import NatsUser

PLACED = "orders.v1.*.*.placed"
"""What `notifier` was granted of the orders."""
CLOSED = "orders.v1.*.*.closed"
CREATE = f"{JETSTREAM_API}.CONSUMER.CREATE"
OWN = f"{CREATE}.ORDERS.notifier"


@pytest.fixture
async def notifier(connect_as: ConnectAs, operator: NatsUser, server: Nats) -> NatsUser:
    js = operator.client.jetstream()
    for stream in (ORDERS, TICKETS, COMMANDS):
        await js.purge_stream(stream.name)
        for consumer in await js.consumers_info(stream.name):
            await js.delete_consumer(stream.name, consumer.name)
    await make_consumers(server.url, written_teams())
    return await connect_as("notifier")


async def publish(operator: NatsUser, *subjects: str) -> None:
    for subject in subjects:
        await operator.client.jetstream().publish(subject, subject.encode())


async def read(team: NatsUser, consumer: str) -> list[Msg]:
    """All orders that the team's consumer has for it, settled."""
    js = team.client.jetstream(prefix=JETSTREAM_API)
    subscription = await js.pull_subscribe_bind(consumer, ORDERS.name)
    pending = (await subscription.consumer_info()).num_pending or 0
    if not pending:
        return []
    messages = await subscription.fetch(pending, 10)
    for message in messages:
        await message.ack_sync()
    return messages


def request(**config: Any) -> dict[str, Any]:
    return {"stream_name": "ORDERS", "config": {"name": "notifier", **config}}


async def test_a_team_reads_what_it_was_granted(notifier: NatsUser, operator: NatsUser) -> None:
    await publish(operator, "orders.v1.a.1.placed", "orders.v1.a.1.closed", "orders.v1.b.2.placed")

    messages = await read(notifier, "notifier")

    assert [each.data for each in messages] == [b"orders.v1.a.1.placed", b"orders.v1.b.2.placed"]
    info = await notifier.client.jetstream(prefix=JETSTREAM_API).consumer_info(
        ORDERS.name, "notifier"
    )
    assert (info.num_ack_pending, info.num_pending) == (0, 0)


async def test_a_team_of_one_restaurant_reads_that_one(
    notifier: NatsUser, connect_as: ConnectAs, operator: NatsUser
) -> None:
    await publish(operator, "orders.v1.la-piazza.1.placed", "orders.v1.b.2.placed")
    wallboard = await connect_as("wallboard")

    messages = await read(wallboard, "wallboard")

    assert [each.data for each in messages] == [b"orders.v1.la-piazza.1.placed"]


async def test_a_consumer_that_may_read_less_goes_on_where_it_was(
    notifier: NatsUser, operator: NatsUser, server: Nats
) -> None:
    await publish(operator, "orders.v1.a.1.placed", "orders.v1.b.2.placed")
    await read(notifier, "notifier")

    for _ in range(2):
        await make_consumers(server.url, [Team.of("notifier", ["orders.v1.a.*.placed"])])
    await publish(operator, "orders.v1.b.3.placed", "orders.v1.a.4.placed")

    assert [each.subject for each in await read(notifier, "notifier")] == ["orders.v1.a.4.placed"]


async def test_a_consumer_that_may_read_more_reads_what_was_stored_before(
    notifier: NatsUser, operator: NatsUser, server: Nats
) -> None:
    js = operator.client.jetstream()
    before = (await js.consumer_info(ORDERS.name, "notifier")).config
    await js.add_consumer(ORDERS.name, before.evolve(ack_wait=77, description="by the operator"))
    await publish(operator, "orders.v1.a.1.placed", "orders.v1.a.1.closed")
    await read(notifier, "notifier")

    wider = Team.of("notifier", [PLACED, CLOSED])
    made = await make_consumers(server.url, [wider])
    messages = await read(notifier, "notifier")
    made_again = await make_consumers(server.url, [wider])

    after = (await js.consumer_info(ORDERS.name, "notifier")).config
    assert [each.subject for each in messages] == ["orders.v1.a.1.placed", "orders.v1.a.1.closed"]
    assert sorted(after.filter_subjects or []) == [CLOSED, PLACED]
    assert (after.ack_wait, after.description) == (77, "by the operator")
    assert await read(notifier, "notifier") == [], "repeated it changes nothing"
    assert made == ["ORDERS/notifier (from the beginning)"]
    assert made_again == ["ORDERS/notifier"]


async def test_a_team_starts_over(notifier: NatsUser, operator: NatsUser, server: Nats) -> None:
    await publish(operator, "orders.v1.a.1.placed")
    await read(notifier, "notifier")

    made = await restart_consumers(server.url, Team.of("notifier", [PLACED]))

    assert made == ["ORDERS/notifier"]
    assert [each.subject for each in await read(notifier, "notifier")] == ["orders.v1.a.1.placed"]


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("orders.v1.>", PLACED, True),
        (PLACED, PLACED, True),
        (PLACED, "orders.v1.a.*.placed", True),
        (">", "orders.v1.>", True),
        (PLACED, "orders.v1.>", False),
        (PLACED, CLOSED, False),
        ("orders.v1.a.>", PLACED, False),
        ("orders.v1.*", "orders.v1.a.b", False),
        ("orders.v1.a.b", "orders.v1.*", False),
    ],
)
def test_one_filter_covers_another(wide: str, narrow: str, covered: bool) -> None:
    assert covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (f"{OWN}.{PLACED}", request(filter_subject=PLACED)),
        (f"{OWN}.orders.v1.b.*.placed", request(filter_subject="orders.v1.b.*.placed")),
        (f"{OWN}.orders.v1.>", request(filter_subject="orders.v1.>")),
        (OWN, request(filter_subjects=[PLACED])),
        (f"{CREATE}.ORDERS", request(filter_subject=PLACED)),
        (
            f"{JETSTREAM_API}.CONSUMER.DURABLE.CREATE.ORDERS.notifier",
            request(filter_subject=PLACED, durable_name="notifier"),
        ),
        (f"{CREATE}.ORDERS.query.{PLACED}", request(filter_subject=PLACED, name="query")),
        (f"{CREATE}.MENU.notifier.menu.v1.>", request(filter_subject="menu.v1.>")),
        *(
            (f"{JETSTREAM_API}.CONSUMER.{question}.ORDERS.{consumer}", {})
            for question in ("DELETE", "PAUSE", "RESET", "UNPIN", "LEADER.STEPDOWN")
            for consumer in ("notifier", "wallboard")
        ),
        (f"{JETSTREAM_API}.CONSUMER.INFO.ORDERS.wallboard", {}),
        (f"{JETSTREAM_API}.CONSUMER.MSG.NEXT.ORDERS.wallboard", {}),
        (f"{JETSTREAM_API}.CONSUMER.LIST.ORDERS", {}),
        (f"{JETSTREAM_API}.STREAM.INFO.ORDERS", {}),
        (f"{JETSTREAM_API}.DIRECT.GET.ORDERS", {"seq": 1}),
    ],
)
async def test_a_team_makes_changes_and_asks_nothing_else(
    notifier: NatsUser, operator: NatsUser, subject: str, body: dict[str, Any]
) -> None:
    before = await consumers(operator)

    assert await notifier.ask(subject, body) is None

    assert await consumers(operator) == before


async def consumers(operator: NatsUser) -> list[api.ConsumerConfig]:
    found = await operator.client.jetstream().consumers_info(ORDERS.name)
    return [each.config for each in found]
