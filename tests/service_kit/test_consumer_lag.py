"""How far a consumer is behind is seen without reading what it has not settled."""

import uuid
from collections.abc import AsyncIterator

import pytest
from comanda_contracts import MenuItemSet, seal
from comanda_contracts.examples import AT, ITEM
from comanda_contracts.streams import MENU
from nats.aio.client import Client
from prometheus_client import REGISTRY
from service_kit.nats.consumer_lag import LOOKS_MAX, BacklogAge, LagMeasure
from service_kit.nats.jetstream import publish_all
from service_kit.nats.leader import NotThere

from tests.conftest import NewNatsServer
from tests.support.streams import client_with


@pytest.fixture
async def client(new_nats_server: NewNatsServer) -> AsyncIterator[Client]:
    async with client_with(MENU, server=new_nats_server()) as client:
        yield client


def test_what_waits_is_as_old_as_the_look_that_saw_it_first() -> None:
    age = BacklogAge()

    assert age.note(0, waiting=0, floor=10, end=10) == 0
    assert age.note(2, waiting=1, floor=10, end=11) == 0
    assert age.note(4, waiting=3, floor=10, end=13) == 2
    assert age.note(60, waiting=3, floor=10, end=13) == 58
    assert age.note(62, waiting=2, floor=11, end=13) == 58, "the next one was there at 4"
    assert age.note(64, waiting=0, floor=13, end=13) == 0


def test_a_busy_consumer_that_keeps_up_is_not_old() -> None:
    age = BacklogAge()

    ages = [age.note(2 * n, waiting=5, floor=100 * n - 5, end=100 * n) for n in range(1, 1000)]

    assert max(ages) <= 2


def test_messages_that_are_not_the_consumers_make_nothing_old() -> None:
    """Its floor stays behind while others come, and then one of its own."""
    age = BacklogAge()
    for n in range(100):
        age.note(2 * n, waiting=0, floor=10, end=10 + n)

    assert age.note(200, waiting=1, floor=10, end=111) == 0


def test_what_was_delivered_and_is_not_acknowledged_is_not_settled() -> None:
    age = BacklogAge()
    age.note(0, waiting=0, floor=10, end=10)

    seen = []
    for now_s, waiting, floor, end in [
        (2, 1, 10, 11),
        (4, 2, 10, 12),
        (6, 1, 11, 12),
        (8, 0, 12, 12),
    ]:
        age.note(now_s, waiting=waiting, floor=floor, end=end)
        seen.append(age.settled_until_s)

    assert seen == [0, 0, 2, 8], "the one of the look at 2 is settled at 6, the other one at 8"


def test_a_consumer_that_always_has_some_in_hand_settles_all_the_same() -> None:
    age = BacklogAge()
    for n in range(1, 1000):
        age.note(2 * n, waiting=5, floor=100 * n - 5, end=100 * n)

    assert age.settled_until_s == 2 * 998


def test_a_consumer_that_stands_for_days_takes_no_more_memory() -> None:
    age = BacklogAge()

    looks = [age.note(2 * n, waiting=n, floor=0, end=n) for n in range(1, 20 * LOOKS_MAX)]

    assert looks[-1] == 2 * (len(looks) - 1)
    assert len(age._ends) <= LOOKS_MAX


async def test_a_durables_lag_is_exported_until_it_has_settled_all(client: Client) -> None:
    js = client.jetstream()
    subscription = await js.pull_subscribe("menu.v1.>", durable="test", stream=MENU.name)
    now = iter([0.0, 30.0, 40.0])
    lag = LagMeasure(MENU, "test", clock=lambda: next(now))
    await publish_all(client, [seal(item(n), event_id=uuid.uuid4()) for n in (1, 2, 3)])

    await lag.measure(js)
    first, *others = await subscription.fetch(3)
    await first.ack_sync()
    await lag.measure(js)
    assert exported() == (2, 30)

    for message in others:
        await message.ack_sync()
    await lag.measure(js)
    assert exported() == (0, 0)


async def test_what_is_delivered_only_is_behind_for_whoever_acts_on_what_was_settled(
    client: Client,
) -> None:
    js = client.jetstream()
    subscription = await js.pull_subscribe("menu.v1.>", durable="test", stream=MENU.name)
    now_s = 0.0
    lag = LagMeasure(MENU, "test", clock=lambda: now_s)
    before = lag.seconds_max
    await lag.measure(js)
    await publish_all(client, [seal(item(1), event_id=uuid.uuid4())])
    [delivered] = await subscription.fetch(1)

    now_s = 30.0
    await lag.measure(js)
    meanwhile = lag.seconds_max
    await delivered.ack_sync()
    await lag.measure(js)

    assert (before, meanwhile, lag.seconds_max) == (None, 30, 0)


async def test_nothing_is_exported_of_a_durable_that_is_not_there(client: Client) -> None:
    lag = LagMeasure(MENU, "test")

    with pytest.raises(NotThere):
        await lag.measure(client.jetstream())

    assert exported() == (None, None)


def item(price: int) -> MenuItemSet:
    return MenuItemSet(at=AT, item=ITEM.model_copy(update={"price": price}))


def exported() -> tuple[float | None, float | None]:
    labels = {"stream": MENU.name, "consumer": "test"}
    names = "comanda_consumer_pending_messages", "comanda_consumer_oldest_seconds"
    pending, oldest = (REGISTRY.get_sample_value(name, labels) for name in names)
    return pending, oldest
