"""Consuming a stream on a real NATS: nothing is lost, nothing stands in the way."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from comanda_contracts import Event, MenuItemSet, Message, seal
from comanda_contracts.examples import AT, ITEM
from comanda_contracts.streams import DEAD_LETTERS, MENU, MESSAGE_BYTES_MAX
from comanda_local.servers import Nats
from faststream.nats import TestNatsBroker
from nats.aio.client import Client
from prometheus_client import REGISTRY
from service_kit.nats import failures, middlewares
from service_kit.nats.batches import LOOK_INTERVAL_S, Beside
from service_kit.nats.broker import Broker, running
from service_kit.nats.dead_letters import REASON_CHARACTERS_MAX
from service_kit.nats.jetstream import ACK_WAIT, connected, publish_all, size_bytes
from service_kit.nats.pull import MESSAGES_MAX
from service_kit.nats.router import Router
from service_kit.nats.set_up import set_up
from service_kit.nats.subscriber import FIRST_PAUSE_S, Received
from service_kit.runtime.components import Component
from service_kit.runtime.components import running as running_components
from structlog.testing import capture_logs

from tests.conftest import NewNatsServer
from tests.support.eventually import eventually
from tests.support.streams import client_with


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with client_with(MENU, DEAD_LETTERS, server=nats_server) as client:
        yield client


def an_item_set(price: int, *, restaurant: str = ITEM.restaurant) -> Message:
    changes = {"price": price, "restaurant": restaurant}
    event = MenuItemSet(at=AT, item=ITEM.model_copy(update=changes))
    return seal(event, event_id=uuid.uuid4())


def price(event: Event) -> int:
    assert isinstance(event, MenuItemSet)
    return event.item.price


class Prices:
    """A handler that keeps what it hears, once it is done with failing."""

    def __init__(self, failures: int = 0) -> None:
        self.heard: list[int] = []
        self.failures = failures
        self._changed = asyncio.Condition()

    async def handle(self, batch: list[Received]) -> None:
        if self.failures:
            self.failures -= 1
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.fail())
        for received in batch:
            self.heard.append(price(received.event))
            await received.message.ack()
        async with self._changed:
            self._changed.notify_all()

    async def fail(self) -> None:
        raise ConnectionError("the store is away")

    async def until(self, *prices: int) -> None:
        async with self._changed:
            heard = self._changed.wait_for(lambda: set(prices) <= set(self.heard))
            await asyncio.wait_for(heard, 60)


def a_broker(
    server: Nats,
    prices: Prices,
    batches: int = 1,
    before: Callable[[Client], Awaitable[None]] | None = None,
) -> Broker:
    router = Router()

    @router.batch_subscriber(
        MENU, durable="test", filter_subjects=[MENU.subject], batches=batches, before=before
    )
    async def on_prices(batch: list[Received]) -> None:
        await prices.handle(batch)

    return Broker([server.url], "test", [router])


@contextlib.asynccontextmanager
async def consuming(server: Nats, prices: Prices, batches: int = 1) -> AsyncIterator[Component]:
    """A service that handles prices; yields what it reports of its consumer."""
    broker = a_broker(server, prices, batches)
    await set_up(broker, [server.url], streams=[], replicas=1)
    component = Component("consumer", broker.watching(MENU))
    async with running(broker), running_components([component]):
        yield component


async def test_history_comes_first_and_then_what_is_new(nats_server: Nats, client: Client) -> None:
    prices = Prices()
    await publish_all(client, [an_item_set(n) for n in range(1000)])

    async with consuming(nats_server, prices):
        await prices.until(*range(1000))
        await publish_all(client, [an_item_set(1000)])
        await prices.until(1000)

    assert prices.heard == list(range(1001))


async def test_nothing_is_asked_for_before_what_is_to_be_done_before_has_succeeded(
    nats_server: Nats, client: Client
) -> None:
    prices, heard_before = Prices(), []

    async def before(connection: Client) -> None:
        assert connection.is_connected
        heard_before.append(list(prices.heard))
        if len(heard_before) < 3:
            raise ConnectionError("the store is away")

    broker = a_broker(nats_server, prices, before=before)
    await set_up(broker, [nats_server.url], streams=[], replicas=1)
    await publish_all(client, [an_item_set(1)])

    async with running(broker):
        await prices.until(1)

    assert heard_before == [[], [], []]


async def test_a_consumer_that_misses_being_cancelled_ends_all_the_same(
    nats_server: Nats, client: Client
) -> None:
    begun = asyncio.Event()

    async def before(_: Client) -> None:
        """As the client's `wait_for` does whose answer comes together with the cancellation."""
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    broker = a_broker(nats_server, Prices(), before=before)
    await set_up(broker, [nats_server.url], streams=[], replicas=1)

    async with asyncio.timeout(60), running(broker):
        await begun.wait()


async def test_a_broker_that_misses_being_cancelled_as_it_starts_ends_all_the_same(
    nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = a_broker(nats_server, Prices())
    begun, start = asyncio.Event(), broker.start

    async def absent_minded() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await start()

    monkeypatch.setattr(broker, "start", absent_minded)

    async with asyncio.timeout(60), running(broker):
        await begun.wait()


async def test_a_batch_is_handled_while_another_is_if_any_order_will_do(
    nats_server: Nats, client: Client
) -> None:
    class TwoByTwo(Prices):
        begun = 0
        both = asyncio.Event()

        async def handle(self, batch: list[Received]) -> None:
            self.begun += 1
            if self.begun == 2:
                self.both.set()
            await self.both.wait()
            await super().handle(batch)

    prices = TwoByTwo()
    await publish_all(client, [an_item_set(n) for n in range(2 * MESSAGES_MAX)])

    async with consuming(nats_server, prices, batches=2):
        await prices.until(*range(2 * MESSAGES_MAX))

    assert sorted(prices.heard) == list(range(2 * MESSAGES_MAX))


async def test_what_can_not_be_read_is_set_aside_and_does_not_stop_the_next(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices()
    condition = {"Nats-Expected-Last-Sequence": "1"}  # which no other stream could meet
    garbage = Message(
        "menu.v1.la-piazza.x.item-set", {"ce-type": MenuItemSet.TYPE, **condition}, b"\x00garbage"
    )
    await publish_all(client, [an_item_set(1), garbage, an_item_set(2)])

    async with consuming(nats_server, prices):
        await prices.until(1, 2)

    (letters,) = [(await client.jetstream().stream_info(DEAD_LETTERS.name)).state.messages]
    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert letters == 1
    assert letter.data == b"\x00garbage"
    assert letter.headers is not None
    assert "body: Invalid JSON" in letter.headers["Comanda-Reason"]
    assert letter.headers["Comanda-Subject"] == "menu.v1.la-piazza.x.item-set"
    assert letter.headers["Comanda-Sequence"] == "2"


class Held(Exception):
    """What a message needs is held by somebody else."""


async def test_who_is_blocked_keeps_no_other_waiting_and_comes_again(
    nats_server: Nats, client: Client
) -> None:
    """Beside the batches two messages of a restaurant are waited for, and others given back."""
    held, heard, begun = asyncio.Event(), list[int](), asyncio.Event()
    router = Router(failures.Classifier(blocked=(Held,)))
    others = Beside(lambda each: each == "held", Held, most_of_each=2)

    async def on_price(received: Received) -> None:
        if price(received.event) < 10 and not held.is_set():
            begun.set()
            await held.wait()
            raise Held
        heard.append(price(received.event))
        await received.message.ack()

    @router.batch_subscriber(MENU, durable="test", filter_subjects=[MENU.subject])
    async def on_prices(batch: list[Received]) -> None:
        await others.handle(on_price, batch, restaurant_of)

    broker = Broker([nats_server.url], "test", [router])
    await set_up(broker, [nats_server.url], streams=[], replicas=1)
    async with running(broker):
        for n in range(4):
            await publish_all(client, [an_item_set(n, restaurant="held")])
        await begun.wait()
        for n in (10, 11):
            await publish_all(client, [an_item_set(n)])
            await eventually(partial(is_in, n, heard))
        held.set()
        await until_settled(client)

    assert heard[:2] == [10, 11]
    assert sorted(heard) == [0, 1, 2, 3, 10, 11]


async def test_what_is_waited_for_beside_its_batch_comes_again_soon_if_it_can_not_be_set_aside(
    nats_server: Nats, client: Client
) -> None:
    heard, router = list[int](), Router(failures.Classifier(permanent=(Held,)))
    others = Beside(lambda _: True, Held, most_of_each=2)
    await client.jetstream().delete_stream(DEAD_LETTERS.name)

    async def on_price(received: Received) -> None:
        heard.append(price(received.event))
        if len(heard) == 1:
            await asyncio.sleep(10 * LOOK_INTERVAL_S)
            raise Held
        await received.message.ack()

    @router.batch_subscriber(MENU, durable="test", filter_subjects=[MENU.subject])
    async def on_prices(batch: list[Received]) -> None:
        await others.handle(on_price, batch, restaurant_of)

    broker = Broker([nats_server.url], "test", [router])
    await set_up(broker, [nats_server.url], streams=[], replicas=1)
    async with asyncio.timeout(ACK_WAIT - 5), running(broker):
        await publish_all(client, [an_item_set(1)])
        await until_settled(client)

    assert heard == [1, 1]


async def is_in(n: int, heard: list[int]) -> bool:
    return n in heard


def restaurant_of(event: Event) -> str:
    assert isinstance(event, MenuItemSet)
    return event.item.restaurant


@pytest.mark.parametrize("subject", ["menu.v1.la-piazza.x.item-set", "menu.v1.la-piazza.x.moved"])
async def test_an_event_of_an_unknown_type_is_kept_as_its_place_on_the_stream_and_acknowledged(
    nats_server: Nats, client: Client, subject: str
) -> None:
    prices = Prices()
    newer = Message(subject, {"ce-type": "comanda.menu.moved.v1", "Nats-Msg-Id": "7"}, b"{}")
    await publish_all(client, [newer, an_item_set(1)])

    async with consuming(nats_server, prices):
        await prices.until(1)
        await until_settled(client)

    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert letter.headers is not None
    assert letter.headers["Comanda-Reason"] == "unknown-type"
    assert "comanda.menu.moved.v1" in letter.headers["Comanda-Detail"]
    assert (letter.headers["Comanda-Stream"], letter.headers["Comanda-Sequence"]) == ("MENU", "1")
    assert not letter.data


async def until_settled(client: Client) -> None:
    async def look() -> bool:
        info = await client.jetstream().consumer_info(MENU.name, "test")
        return not info.num_pending and not info.num_ack_pending

    await eventually(look)


@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param(b"[" + b'"x",' * 200_000 + b'"x"]', id="nearly as large as may be"),
        pytest.param(b'{"item": {' + b'"a": 1, ' * 20_000 + b'"b": 1}}', id="many faults"),
        pytest.param(b"\x1b]0;boo\x07", id="for a terminal"),
    ],
)
async def test_whatever_can_not_be_read_has_a_dead_letter_that_fits(
    nats_server: Nats, client: Client, unreadable: bytes
) -> None:
    js, prices = client.jetstream(), Prices()
    config = (await js.stream_info(MENU.name)).config
    await js.update_stream(config.evolve(max_msg_size=-1))  # as an operator may set it
    noise = {"ce-type": MenuItemSet.TYPE, "ce-noise": "n" * 60_000}  # 64 KiB may be headers
    whole = unreadable.ljust(client.max_payload - 60_100)
    garbage = Message("menu.v1.la-piazza.x.item-set", noise, whole)
    outcomes = await publish_all(client, [garbage, an_item_set(1)])
    assert [each for each in outcomes if isinstance(each, Exception)] == []

    async with consuming(nats_server, prices):
        await prices.until(1)

    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert letter.headers is not None
    assert letter.headers["Comanda-Reason"].isprintable()
    assert len(letter.headers["Comanda-Reason"]) <= REASON_CHARACTERS_MAX
    assert letter.headers["Comanda-Sequence"] == "1"
    assert (letter.headers["Comanda-Omitted"], letter.data or b"") == ("headers, body", b"")


async def test_the_largest_message_that_a_stream_takes_is_kept_whole(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices()
    headers = {
        "ce-type": MenuItemSet.TYPE,
        "Nats-Msg-Id": "\N{PILE OF POO}" * 1000,
        "ce-noise": "n" * 900,
    }
    subject = "menu.v1.la-piazza.x.item-set"
    head = size_bytes(Message(subject, headers, b""))
    largest = Message(subject, headers, b"x" * (MESSAGE_BYTES_MAX - head))
    larger = Message(subject, {**headers, "Nats-Msg-Id": "2"}, b"x" * MESSAGE_BYTES_MAX)
    outcomes = await publish_all(client, [largest, larger, an_item_set(1)])
    assert [isinstance(each, Exception) for each in outcomes] == [False, True, False]

    async with consuming(nats_server, prices):
        await prices.until(1)

    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert letter.data == largest.body
    assert letter.headers is not None
    assert "Comanda-Omitted" not in letter.headers


async def test_what_a_handler_could_not_store_comes_again(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices(failures=2)
    await publish_all(client, [an_item_set(1), an_item_set(2)])

    async with consuming(nats_server, prices):
        await prices.until(1, 2)


async def test_what_fails_again_and_again_is_given_up_and_its_neighbours_are_handled_at_once(
    nats_server: Nats, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(Prices):
        tried = 0

        async def handle(self, batch: list[Received]) -> None:
            if any(price(each.event) == 13 for each in batch):
                self.tried += len(batch) == 1
                raise KeyError("a fault of this release")
            await super().handle(batch)

    monkeypatch.setattr(failures, "PAUSE_MIN_S", 0.01)
    monkeypatch.setattr(middlewares, "ATTEMPTS_MAX", 4)
    prices = Faulty()
    await publish_all(client, [an_item_set(n) for n in range(20)])

    async with consuming(nats_server, prices):
        await prices.until(*(n for n in range(20) if n != 13))
        await until_settled(client)

    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert prices.tried == 4
    assert letter.headers is not None
    assert letter.headers["Comanda-Sequence"] == "14"
    assert "failed 4 times, at last with KeyError" in letter.headers["Comanda-Reason"]


async def test_what_a_handler_hangs_on_holds_up_nothing_for_ever(
    nats_server: Nats, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(Prices):
        async def handle(self, batch: list[Received]) -> None:
            if any(price(each.event) == 13 for each in batch):
                await asyncio.Event().wait()
            await super().handle(batch)

    monkeypatch.setattr(failures, "PAUSE_MIN_S", 0.01)
    monkeypatch.setattr(middlewares, "ATTEMPTS_MAX", 2)
    monkeypatch.setattr(middlewares, "HANDLING_TIMEOUT_S", 0.5)
    prices = Hanging()
    await publish_all(client, [an_item_set(n) for n in range(20)])

    async with consuming(nats_server, prices):
        await prices.until(*(n for n in range(20) if n != 13))
        await until_settled(client)

    letter = await client.jetstream().get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.test.MENU")
    assert letter.headers is not None
    assert letter.headers["Comanda-Sequence"] == "14"
    assert "not handled within" in letter.headers["Comanda-Reason"]


async def test_what_a_replica_had_in_hand_when_it_was_stopped_goes_to_another_at_once(
    nats_server: Nats, client: Client
) -> None:
    class Slow(Prices):
        taken = asyncio.Event()

        async def handle(self, batch: list[Received]) -> None:
            self.taken.set()
            await asyncio.Event().wait()

    slow, prices = Slow(), Prices()
    async with consuming(nats_server, slow):
        await publish_all(client, [an_item_set(1), an_item_set(2)])
        await slow.taken.wait()
    async with asyncio.timeout(ACK_WAIT - 5), consuming(nats_server, prices):
        await prices.until(1, 2)


async def test_it_goes_on_after_the_broker_was_killed(nats_server: Nats, client: Client) -> None:
    prices = Prices()
    async with consuming(nats_server, prices):
        await publish_all(client, [an_item_set(1)])
        await prices.until(1)

        nats_server.kill()
        nats_server.start()
        async with connected([nats_server.url], "test") as new_client:
            await publish_all(new_client, [an_item_set(2)])

        await prices.until(2)


async def test_a_durable_deleted_under_way_is_missed_until_it_is_set_up_again(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices()
    async with consuming(nats_server, prices) as component:
        await publish_all(client, [an_item_set(1)])
        await prices.until(1)

        await client.jetstream().delete_consumer(MENU.name, "test")
        await until(lambda: not component.ready)
        await set_up(a_broker(nats_server, prices), [nats_server.url], streams=[], replicas=1)
        await publish_all(client, [an_item_set(2)])

        await prices.until(2)
        await until(lambda: component.ready)


async def test_pauses_grow_until_messages_have_come_again(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices()
    broker = a_broker(nats_server, prices)
    (subscriber,) = broker.batch_subscribers
    await set_up(broker, [nats_server.url], streams=[], replicas=1)
    async with running(broker):
        for price in (1, 2):
            with capture_logs() as logs:
                await client.jetstream().delete_consumer(MENU.name, "test")
                await until(lambda: subscriber.pause_s == 4 * FIRST_PAUSE_S)
            again = a_broker(nats_server, prices)
            await set_up(again, [nats_server.url], streams=[], replicas=1)
            await publish_all(client, [an_item_set(price)])
            await prices.until(price)
            assert subscriber.pause_s == FIRST_PAUSE_S
            said = [entry["reason"] for entry in logs if entry["event"] == "no messages"]
            assert said == sorted(set(said), key=said.index)  # each reason once


async def until(holds: Callable[[], bool]) -> None:
    async def look() -> bool | None:
        return holds() or None

    await eventually(look)


async def test_publishing_without_a_broker_fails_in_bounded_time(
    nats_server: Nats, client: Client
) -> None:
    nats_server.kill()

    async with asyncio.timeout(60):
        outcomes = await publish_all(client, [an_item_set(n) for n in range(5000)], timeout=1)

    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    nats_server.start()


async def test_a_declared_handler_is_reached_without_a_server(nats_server: Nats) -> None:
    prices = Prices()
    broker = a_broker(nats_server, prices)
    message = an_item_set(7)

    async with TestNatsBroker(broker):
        await broker.publish(message.body, message.subject, headers=dict(message.headers))

    assert prices.heard == [7]


async def test_its_metrics_name_stream_and_consumer_and_no_subject(
    nats_server: Nats, client: Client
) -> None:
    prices = Prices()
    await publish_all(client, [an_item_set(1)])

    async with consuming(nats_server, prices):
        await prices.until(1)

    labels = {
        sample.labels["handler"]
        for metric in REGISTRY.collect()
        if metric.name == "comanda_received_messages"
        for sample in metric.samples
        if "handler" in sample.labels
    }
    assert "MENU/test" in labels
    assert not any("." in label for label in labels), "a subject has dots"
