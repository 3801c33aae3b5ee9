"""The feed of a queue, from the service as it is run, read by screens over HTTP."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from datetime import timedelta

import comanda_contracts as contracts
import httpx
import pytest
from comanda_contracts.streams import TICKETS
from comanda_local.servers import Nats
from prometheus_client import REGISTRY
from service_kit.http import feed_budget, live_feed
from service_kit.http.server import SHUTDOWN_GRACE_S
from service_kit.nats.jetstream import connected
from serving.domain.ticket import TicketLine

from tests.serving.builders import NOON, a_ticket, cancellation_requested
from tests.serving.running import Kitchen, NewService, in_this_process
from tests.serving.screen import Event, watching
from tests.serving.test_kitchen_queues import add, move
from tests.support.eventually import eventually
from tests.support.tokens import bearer

RESTAURANT = "la-piazza"
MINUTE = timedelta(minutes=1)


def url_of(kitchen: Kitchen) -> str:
    return str(kitchen.http.base_url)


async def change(kitchen: Kitchen, order: contracts.Order, *commands: str) -> None:
    for command in commands:
        (await kitchen.command(order, command)).raise_for_status()


async def test_a_screen_is_sent_the_queue_and_then_each_change(kitchen: Kitchen) -> None:
    order = await kitchen.order()
    await eventually(lambda: _shows(kitchen, order))
    async with watching(url_of(kitchen)) as screen:
        snapshot = await screen.next()
        await change(kitchen, order, "start", "ready", "recall", "ready", "serve")
        events = [await screen.next() for _ in range(5)]

    assert screen.response.headers["content-type"].startswith("text/event-stream")
    assert (snapshot.name, [each["status"] for each in snapshot.data["tickets"]]) == (
        "snapshot",
        ["queued"],
    )
    assert {event.name for event in events} == {"ticket"}
    statuses = [event.status for event in events]
    assert statuses == ["preparing", "ready", "preparing", "ready", "served"]


async def _shows(kitchen: Kitchen, order: contracts.Order) -> bool:
    return str(order.order_id) in await kitchen.queue()


async def test_the_snapshot_is_the_queue_as_it_is_read(kitchen: Kitchen) -> None:
    for order in [await kitchen.order() for _ in range(3)]:
        await eventually(lambda order=order: _shows(kitchen, order))  # type: ignore[misc]

    async with watching(url_of(kitchen)) as screen:
        snapshot = await screen.next()

    queue = await kitchen.http.get(f"/v1/restaurants/{RESTAURANT}/queue")
    assert snapshot.data == queue.json()


async def test_an_id_is_the_sequence_at_which_the_stream_holds_the_ticket(
    kitchen: Kitchen,
) -> None:
    async with watching(url_of(kitchen)) as screen:
        snapshot = await screen.next()
        order = await kitchen.order()
        event = await screen.next()

    message = await kitchen.client.jetstream().get_msg(TICKETS.name, seq=event.id)
    stored = contracts.read(message.headers, message.data or b"")
    assert isinstance(stored, contracts.TicketEvent)
    assert snapshot.id == 0
    assert contracts.Ticket.model_validate(event.data) == stored.ticket
    assert stored.ticket.order_id == order.order_id


async def test_a_ticket_that_is_voided_is_sent_a_last_time(kitchen: Kitchen) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)
    async with watching(url_of(kitchen), last=0) as screen:
        message = cancellation_requested(order, 1)
        await kitchen.client.jetstream().publish(
            message.subject, message.body, headers=dict(message.headers)
        )

        events = [await screen.next() for _ in range(2)]

    assert [event.status for event in events] == ["queued", "voided"]


async def test_a_screen_shows_its_own_restaurant_only(kitchen: Kitchen) -> None:
    async with watching(url_of(kitchen)) as screen:
        await screen.next()
        other = await kitchen.order(restaurant="da-mario")
        await kitchen.is_queued(other)
        ours = await kitchen.order()

        event = await screen.next()

    assert event.data["order_id"] == str(ours.order_id)


async def test_a_screen_that_comes_back_to_any_replica_is_sent_just_what_it_missed(
    kitchen: Kitchen, new_service: NewService
) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)
    async with watching(url_of(kitchen), last=0) as screen:
        await screen.next()
    await change(kitchen, order, "start", "ready")
    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)

    async with watching(other.url, last=screen.last) as screen:
        missed = [await screen.next() for _ in range(2)]
        await change(kitchen, order, "serve")
        new = await screen.next()

    assert [(each.name, each.status) for each in (*missed, new)] == [
        ("ticket", "preparing"),
        ("ticket", "ready"),
        ("ticket", "served"),
    ]


async def test_a_sequence_that_the_stream_has_not_reached_is_answered_with_the_queue(
    kitchen: Kitchen,
) -> None:
    async with watching(url_of(kitchen), last=1_000_000) as screen:
        event = await screen.next()

    assert (event.name, event.id, event.data) == ("snapshot", 0, {"tickets": []})


async def test_without_the_broker_a_feed_ends_and_goes_on_when_it_is_back(
    kitchen: Kitchen,
) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)
    async with watching(url_of(kitchen), last=0) as screen:
        await screen.next()
        await asyncio.to_thread(kitchen.nats.kill)

        assert await screen.rest() == []

    async with watching(url_of(kitchen), last=screen.last) as screen:
        assert screen.response.status_code == 200
        assert (await screen.next_event_or_comment()).comment
        await asyncio.to_thread(kitchen.nats.start)
        await kitchen.is_ready()
        await change(kitchen, order, "start")

        while (event := await screen.next()).name == "snapshot":
            assert "queued" in str(event.data)
        assert event.status == "preparing"


async def test_the_service_ends_at_once_when_it_is_told_to_though_screens_watch(
    kitchen: Kitchen, new_service: NewService
) -> None:
    service = new_service(kitchen.nats.url)
    await asyncio.to_thread(service.wait_until_ready)
    async with contextlib.AsyncExitStack() as screens:
        watched = [await screens.enter_async_context(watching(service.url)) for _ in range(5)]
        for screen in watched:
            await screen.next()

        stopping = asyncio.create_task(
            asyncio.to_thread(service.process.stop, grace=SHUTDOWN_GRACE_S - 1)
        )

        assert [await screen.rest() for screen in watched] == [[]] * 5
        assert await stopping == 0


async def test_a_screen_that_is_switched_off_is_forgotten(kitchen: Kitchen) -> None:
    async with watching(url_of(kitchen)) as one, watching(url_of(kitchen)) as other:
        await one.next()
        await other.next()
        await eventually(lambda: _readers(kitchen.http, 2))

    await eventually(lambda: _readers(kitchen.http, 0))


async def _readers(http: httpx.AsyncClient, number: int) -> bool:
    return f"comanda_serving_live_readers {number}.0" in (await http.get("/metrics")).text


async def test_while_nothing_happens_the_feed_says_that_it_is_alive(
    new_nats_server: Callable[[], Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_feed, "HEARTBEAT_INTERVAL_S", 0.05)
    async with in_this_process(new_nats_server().url) as url, watching(url) as screen:
        await screen.next()

        comments = [await screen.next_event_or_comment() for _ in range(3)]

    assert comments == [Event(comment="ping")] * 3


async def test_whoever_comes_and_goes_misses_nothing_and_is_told_nothing_twice(
    kitchen: Kitchen, new_service: NewService
) -> None:
    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)
    replicas = [url_of(kitchen), other.url]
    tickets = [a_ticket() for _ in range(30)]

    async def watch(stay: int) -> list[Event]:
        """Read every event, on one replica after the other, `stay` events at each."""
        seen: list[Event] = []
        for replica in itertools.cycle(replicas):
            async with watching(replica, last=seen[-1].id if seen else 0) as screen:
                for _ in range(stay):
                    event = await screen.next()
                    if event.name == "snapshot":  # this replica has not got as far as the other
                        break
                    seen.append(event)
                    if sum(each.status == "served" for each in seen) == len(tickets):
                        return seen
        raise AssertionError

    watchers = [asyncio.create_task(watch(stay)) for stay in (2, 7, 40)]
    await add(kitchen.client, *tickets)
    for ticket in tickets:
        await move(kitchen.client, ticket, "start", "ready", "serve")
    feeds = await asyncio.gather(*watchers)

    last = (await kitchen.client.jetstream().stream_info(TICKETS.name)).state.last_seq
    for seen in feeds:
        assert [event.id for event in seen] == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("bound", "status"), [("FEEDS_OF_ONE_RESTAURANT_MAX", 429), ("FEEDS_MAX", 503)]
)
async def test_a_feed_too_many_is_refused_until_another_ends(
    new_nats_server: Callable[[], Nats], monkeypatch: pytest.MonkeyPatch, bound: str, status: int
) -> None:
    monkeypatch.setattr(feed_budget, bound, 1)
    async with in_this_process(new_nats_server().url) as url:
        async with watching(url) as screen:
            await screen.next()

            async with watching(url) as refused:
                assert refused.response.status_code == status
                await refused.response.aread()

        assert refused.response.json()["code"] == "too-many-feeds"
        assert "Retry-After" in refused.response.headers
        await eventually(lambda: _is_let_in(url))


async def _is_let_in(url: str) -> bool:
    async with watching(url) as screen:
        return screen.response.is_success


async def test_a_reader_too_slow_to_follow_is_sent_away_and_can_come_back(
    new_nats_server: Callable[[], Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    nats = new_nats_server()
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_CHANGES", 20)
    lines = tuple(
        TicketLine(sku=f"sku-{number}", name="Margherita", quantity=1, note="x" * 200)
        for number in range(200)
    )
    tickets = [a_ticket(lines=lines, ordered_at=NOON + n * MINUTE) for n in range(150)]
    small = httpx.AsyncHTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    before = _too_slow()
    async with in_this_process(nats.url) as url:
        async with watching(url, transport=small) as screen:
            await screen.next()
            async with connected([nats.url], "test") as client:
                await add(client, *tickets)

            await eventually(lambda: _are_queued(len(tickets)))
            assert _too_slow() == before + 1
            read = [event.id for event in await screen.rest()]
        async with watching(url, last=screen.last) as screen:
            snapshot = await screen.next()

    assert read == list(range(1, len(read) + 1))
    assert len(read) < len(tickets)
    assert [each["order_id"] for each in snapshot.data["tickets"]] == [
        str(ticket.order_id) for ticket in tickets
    ]


async def test_a_reader_who_goes_away_without_reading_is_no_error(
    new_nats_server: Callable[[], Nats], capsys: pytest.CaptureFixture[str]
) -> None:
    nats = new_nats_server()
    note = "x" * 200_000
    lines = (TicketLine(sku="margherita", name="Margherita", quantity=1, note=note),)
    async with (
        in_this_process(nats.url) as url,
        httpx.AsyncClient(base_url=url, timeout=60, headers=bearer()) as http,
    ):
        async with watching(url) as screen, connected([nats.url], "test") as client:
            await screen.next()
            await add(client, *[a_ticket(lines=lines) for _ in range(60)])
            await eventually(lambda: _are_queued(60))

        await eventually(lambda: _readers(http, 0))

    assert "request failed" not in capsys.readouterr().out


async def _are_queued(number: int) -> bool:
    return REGISTRY.get_sample_value("comanda_serving_tickets", {"status": "queued"}) == number


def _too_slow() -> float:
    return REGISTRY.get_sample_value("comanda_serving_live_readers_too_slow_total") or 0
