"""Who sent what led to an event: from the token, by every way in, to the published event."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import comanda_contracts as contracts
import httpx
import pytest
from comanda_contracts.commands import COMMAND_BODIES
from joserfc.jwk import ECKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from ordering.application.keyed_request import KeyedRequest
from ordering.contract import event_to_contract
from ordering.domain.events import Sender
from ordering.domain.order import KitchenVerdict, Order
from ordering.inbound.http.access import access_routes
from ordering.inbound.http.menu import menu_routes
from ordering.inbound.http.order_placement import placement_endpoint, placement_lane
from ordering.inbound.http.orders import order_routes
from ordering.inbound.nats import sender
from ordering.inbound.nats.command_message import CommandMessage, read_command
from ordering.inbound.nats.command_subscriber import bind_use_case, command_router
from ordering.inbound.nats.failures import FAILURES
from ordering.inbound.nats.sender import (
    KEY_ATTEMPTS_MAX,
    Identify,
    KnownSender,
    by_letter,
    by_token,
    sent_by,
)
from ordering.outbound.transaction.rows import order_of, order_row
from service_kit.access.admission import Admission
from service_kit.access.guests import GuestSigner, GuestVerifier
from service_kit.access.key_source import FETCH_TIMEOUT_S
from service_kit.access.keys import KeySet
from service_kit.access.rates import Rates
from service_kit.access.tokens import TokenVerifier
from service_kit.http.fast_lane import FastLane
from service_kit.http.server import application
from service_kit.nats.broker import Broker
from service_kit.nats.dead_letters import SENDER
from service_kit.nats.failures import JITTER, PAUSE_MIN_S, BatchFailed, Fate
from service_kit.nats.letter_box import NotReplayable
from service_kit.nats.subscriber import Handler, Received

from tests.access.forge import (
    EXPECTED,
    RESTAURANT,
    FakeSource,
    a_set,
    a_verifier,
    claims,
    ec_key,
    signed,
)
from tests.ordering.builders import NOON, TABLE_12, a_place_order, an_order
from tests.ordering.fakes import InMemoryStore
from tests.ordering.use_cases import open_la_piazza, placing, taking_verdict
from tests.support.commands import identified
from tests.support.eventually import eventually

LUIGI = Sender(subject="luigi", role="till", device="till-3")
NOON_S = NOON.timestamp()
HERE = f"/{RESTAURANT}"
LINES = {"lines": [{"sku": "margherita", "quantity": 1}]}
AN_ORDER = {"channel": "dine_in", "table": "12", "guests": 2, **LINES}


def a_token(*roles: str) -> str:
    return signed(claims(device="till-3", comanda={RESTAURANT: roles}))


@pytest.fixture
async def store() -> InMemoryStore:
    store = InMemoryStore()
    await open_la_piazza(store)
    return store


async def a_served_order(store: InMemoryStore) -> uuid.UUID:
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    await store.run(taking_verdict(order.order_id, 1))
    return order.order_id


@pytest.fixture(params=["lane", "framework"])
async def http(store: InMemoryStore, request: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Every route of ordering, with the lane ahead of it or without."""

    def clock() -> Any:
        return NOON

    place = placement_endpoint(store, clock=clock, new_id=uuid.uuid4)
    app = application("ordering", "", [], admission=Admission(a_verifier()))
    app.include_router(order_routes(store, place, clock=clock))
    app.include_router(menu_routes(store, store, store, clock))
    app.include_router(access_routes(store, clock))
    if request.param == "lane":
        app.add_middleware(FastLane, lanes=[placement_lane(place)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://ordering/v1/restaurants"
    ) as client:
        yield client


async def test_every_change_over_http_says_who_sent_it(
    store: InMemoryStore, http: httpx.AsyncClient
) -> None:
    """Luigi holds several roles: the first of those that the route needs is told."""
    before = len(store.events)
    http.headers["Authorization"] = f"Bearer {a_token('till', 'kitchen', 'manager')}"
    restaurant = {"name": "La Piazzetta", "currency": "EUR", "time_zone": "Europe/Rome"}
    tiramisu = {"name": "Tiramisù", "category": "Dolci", "price": 550, "available": True}

    answers = [
        await http.put(HERE, json=restaurant),
        await http.put(f"{HERE}/menu/tiramisu", json=tiramisu),
        await http.post(f"{HERE}/menu/tiramisu/unavailable"),
        await http.post(f"{HERE}/menu/tiramisu/available"),
        await http.delete(f"{HERE}/menu/tiramisu"),
        await http.post(f"{HERE}/access/mario/withdraw"),
        placed := await http.post(f"{HERE}/orders", json=AN_ORDER),
        await http.post(f"{HERE}/orders/{placed.json()['order_id']}/rounds", json=LINES),
        await http.post(
            f"{HERE}/orders/{placed.json()['order_id']}/cancel", json={"reason": "no time"}
        ),
        await http.post(f"{HERE}/orders/{await a_served_order(store)}/close"),
    ]

    assert [each.status_code // 100 for each in answers] == [2] * len(answers)
    events = [event for event in store.events[before:] if event.actor]
    assert [(type(event).__name__, event.by and event.by.role) for event in events] == [
        ("RestaurantSet", "manager"),
        ("MenuItemSet", "manager"),
        ("MenuItemSet", "kitchen"),
        ("MenuItemSet", "kitchen"),
        ("MenuItemWithdrawn", "manager"),
        ("AccessWithdrawn", "manager"),
        ("OrderPlaced", "till"),
        ("ItemsAdded", "till"),
        ("CancellationRequested", "till"),
        ("OrderClosed", "till"),
    ]
    assert {event.by and (event.by.subject, event.by.device) for event in events} == {
        ("luigi", "till-3")
    }


async def test_whoever_acts_for_another_stays_the_sender(
    store: InMemoryStore, http: httpx.AsyncClient
) -> None:
    headers = {"Authorization": f"Bearer {a_token('till', 'act-as')}", "Comanda-Actor": "Gina"}

    answer = await http.post(f"{HERE}/orders", json=AN_ORDER, headers=headers)

    event = event_to_contract(store.events[-1])
    assert answer.status_code == 201
    assert event.actor == "Gina"
    assert event.by == contracts.Sender(subject="luigi", device="till-3", role="till")


@pytest.mark.parametrize("name", sorted(COMMAND_BODIES))
async def test_every_command_over_nats_says_who_sent_it(store: InMemoryStore, name: str) -> None:
    order_id = await a_served_order(store)
    if name == "cancel-order":
        order_id = (await store.run(placing(a_place_order(party=TABLE_12)))).order_id
    body: dict[str, Any] = AN_ORDER if name == "place-order" else {"order_id": str(order_id)}
    more: dict[str, Any] = {"add-items": LINES, "cancel-order": {"reason": "they left"}}
    token = a_token("till", "act-as")
    sent = CommandMessage(
        RESTAURANT, name, {}, "Gina", None, authorization=f"Bearer {token}", stored_at_s=time.time()
    )

    command = await identified(sent, Admission(a_verifier()))
    parsed = COMMAND_BODIES[name].validate_json(json.dumps(body | more.get(name, {})))
    _, change = bind_use_case(command, parsed, clock=lambda: NOON, new_id=uuid.uuid4)
    await store.run(change)

    assert (store.events[-1].actor, store.events[-1].by) == ("Gina", LUIGI)


PLACED_BY_GINA = CommandMessage(
    RESTAURANT,
    "place-order",
    {},
    "Gina",
    None,
    KeyedRequest(RESTAURANT, "request 1", "fingerprint"),
)


DELIVERED_ONCE = "$JS.ACK.COMMANDS.ordering.1.7.7.0.0"


def replayed(headers: dict[str, str]) -> Received[CommandMessage]:
    return Received(PLACED_BY_GINA, Msg(cast("Client", None), headers=headers))


def by_its_letter(actor: str | None = None, *, withdrawn_at_s: float = 0.0) -> Identify:
    """As an operator replays, who names an actor or none; Luigi's tokens were withdrawn then."""

    async def is_withdrawn(restaurant: str, subject: str, issued_at_s: float) -> bool:
        assert (restaurant, subject) == (RESTAURANT, "luigi")
        return issued_at_s <= withdrawn_at_s

    return by_letter(
        actor, is_withdrawn=is_withdrawn, clock=lambda: NOON, token_life_max_s=31 * 86_400
    )


async def a_letter_of(issued_at: float) -> dict[str, str]:
    """What a dead letter says of the command that Luigi sent for Gina by a token of then."""
    token = signed(
        claims(
            device="till-3",
            comanda={RESTAURANT: ["till", "act-as"]},
            iat=issued_at,
            exp=issued_at + 60,
        )
    )
    sent = replace(PLACED_BY_GINA, authorization=f"Bearer {token}", stored_at_s=issued_at)
    received = Received(sent, Msg(cast("Client", None), reply=DELIVERED_ONCE))
    await by_token(Admission(a_verifier()))(received)
    assert token not in str(received.about)
    return received.about


async def test_a_replayed_command_is_its_senders_with_its_key_among_his() -> None:
    """So that it has no second effect if he has sent it again meanwhile."""
    letter = await a_letter_of(NOON_S - 3600)
    token = signed(claims(sub="luigi", comanda={RESTAURANT: ["till"]}))
    again = replace(
        PLACED_BY_GINA, actor=None, authorization=f"Bearer {token}", stored_at_s=time.time()
    )
    own = await identified(again, Admission(a_verifier()))

    command = await by_its_letter(actor="operator")(replayed(letter))

    assert (command.actor, command.by, command.request) == ("Gina", LUIGI, own.request)


@pytest.mark.parametrize("headers", [{}, {SENDER: "?"}, {SENDER: '{"subject": "luigi"}'}])
async def test_a_command_of_nobody_is_replayed_for_whom_the_operator_names_alone(
    headers: dict[str, str],
) -> None:
    """Whatever the command says, which nobody has checked."""
    for nobody in (None, ""):
        with pytest.raises(NotReplayable, match="--actor"):
            await by_its_letter(nobody)(replayed(headers))

    command = await by_its_letter(actor="luigi")(replayed(headers))

    known = sent_by(
        KnownSender(subject="luigi", role="till", device=None, actor="", issued_at=0),
        PLACED_BY_GINA,
    )
    assert (command.actor, command.by, command.request) == ("luigi", None, known.request)


@pytest.mark.parametrize("actor", [None, "luigi"])
async def test_a_command_of_somebody_who_was_withdrawn_since_is_not_replayed(
    actor: str | None,
) -> None:
    letter = await a_letter_of(NOON_S - 3600)

    with pytest.raises(NotReplayable, match="withdrawn"):
        await by_its_letter(actor, withdrawn_at_s=NOON_S - 60)(replayed(letter))

    assert await by_its_letter(withdrawn_at_s=NOON_S - 3601)(replayed(letter))


async def test_a_command_of_so_long_ago_that_no_withdrawal_is_known_is_nobodys() -> None:
    letter = await a_letter_of(NOON_S - 32 * 86_400)

    with pytest.raises(NotReplayable, match="--actor"):
        await by_its_letter()(replayed(letter))


@pytest.mark.parametrize(
    "verdicts",
    [
        {1: KitchenVerdict.VOIDED, 2: KitchenVerdict.VOIDED},
        {1: KitchenVerdict.VOIDED, 2: KitchenVerdict.STARTED},
        {2: KitchenVerdict.VOIDED},
    ],
    ids=["cancelled", "refused in part", "items cancelled"],
)
def test_what_ends_a_cancellation_says_who_sent_the_request(
    verdicts: dict[int, KitchenVerdict],
) -> None:
    """The kitchen's answer comes to another transaction: the request is read from its row."""
    requested = an_order(rounds=2).cancel(
        list(verdicts), reason="they left", at=NOON, actor="Gina", by=LUIGI
    )
    order = stored(requested.order)
    for number, verdict in verdicts.items():
        order = order.take_verdict(number, verdict)

    ended = order.end_cancellation(at=NOON)

    assert ended is not None
    assert (ended.actor, ended.by) == ("Gina", LUIGI)


def test_whoever_asks_again_for_a_cancellation_is_no_other_than_who_asked_first() -> None:
    mario = Sender(subject="mario", role="manager")
    first = an_order().cancel(None, reason="they left", at=NOON, actor="Gina", by=LUIGI).order

    again = first.cancel(None, reason="I said so", at=NOON, actor="mario", by=mario)

    ended = again.order.take_verdict(1, KitchenVerdict.VOIDED).end_cancellation(at=NOON)
    assert (again.by, ended and ended.by) == (mario, LUIGI)


def test_a_cancellation_that_was_stored_before_senders_were_is_read() -> None:
    order = an_order().cancel(None, reason="they left", at=NOON, actor="Gina").order
    row = in_database(order)
    del row["cancellation"]["by"]

    assert order_of(row) == order


def stored(order: Order) -> Order:
    return order_of(in_database(order))


def in_database(order: Order) -> dict[str, Any]:
    """The row as it comes back: what is JSON in it went through JSON."""
    row = order_row(order)
    return row | {name: json.loads(json.dumps(row[name])) for name in ("rounds", "cancellation")}


class SlowSource(FakeSource):
    """A provider that answers once it is told to, but for the first time."""

    def __init__(self, *keys: ECKey) -> None:
        super().__init__(*keys)
        self.answers = asyncio.Event()
        self.answers.set()

    async def read(self) -> bytes:
        await self.answers.wait()
        return await super().read()


@pytest.fixture
async def slow() -> SlowSource:
    return SlowSource(ec_key())


class Answers:
    """A connection that keeps the headers of what is published over it."""

    max_payload = 1024 * 1024

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    async def publish(self, _subject: str, _body: bytes, _reply: str, headers: Any) -> None:
        self.headers.append(headers)


@pytest.fixture
def answers() -> Answers:
    return Answers()


def a_handler(
    store: InMemoryStore, answers: Answers, admission: Admission, guests: GuestSigner | None = None
) -> Handler:
    """Ordering's handler of commands."""

    async def client() -> Client:
        return cast("Client", answers)

    router = command_router(
        store,
        client,
        clock=lambda: NOON,
        new_id=uuid.uuid4,
        identify=by_token(admission),
        guests=guests,
    )
    broker = Broker(["nats://localhost:1"], "ordering")
    broker.include_router(router)
    return broker.batch_subscribers[0].handler


@pytest.fixture
async def on_commands(store: InMemoryStore, slow: SlowSource, answers: Answers) -> Handler:
    """It knows one key; the provider is slow to name another."""
    keys = KeySet(slow)
    await keys.refresh()
    slow.answers.clear()
    keys._begun_at = None  # as after half a minute
    return a_handler(store, answers, Admission(TokenVerifier(keys, EXPECTED)))


class Delivered(Msg):
    """A command as the stream delivers it; that it is settled is noted alone."""

    def __init__(self, number: int, key: ECKey, at_s: float, times: int, body: Any) -> None:
        token = signed(claims(comanda={RESTAURANT: ["till"]}), key)
        super().__init__(
            cast("Client", None),
            f"commands.v1.{RESTAURANT}.{'place-order' if 'lines' in body else 'close-order'}",
            f"$JS.ACK.COMMANDS.ordering.{times}.{number}.{number}.{int(at_s * 1e9)}.0",
            json.dumps(body).encode(),
            {
                "Comanda-Request-Id": f"{number}",
                "Authorization": f"Bearer {token}",
                "Comanda-Reply-To": f"replies.v1.{RESTAURANT}.till-1",
            },
        )

    async def ack(self) -> None:
        self._ackd = True


def received(
    number: int,
    key: ECKey | None = None,
    *,
    at_s: float | None = None,
    times: int = 1,
    body: Any = AN_ORDER,
) -> Received[CommandMessage]:
    message = Delivered(number, key or ec_key(), at_s or time.time(), times, body)
    return Received(replace(read_command(message), expires_at=None), message)


async def test_a_command_whose_key_is_looked_for_is_given_back_and_those_beside_it_are_answered(
    store: InMemoryStore, on_commands: Handler, slow: SlowSource
) -> None:
    """The provider does not answer all the while: nobody waits for it."""
    unknown, good = received(1, ec_key("ec-2")), received(2, ec_key())
    slow.content = a_set(ec_key(), ec_key("ec-2"))

    with pytest.raises(BatchFailed) as failed:
        await on_commands([unknown, good])
    settled_meanwhile = [each.message.is_acked for each in (unknown, good)]
    slow.answers.set()
    await eventually(lambda: is_read(slow))
    await on_commands([unknown])

    [failure] = failed.value.failures
    assert failure.message is unknown.message
    assert FAILURES.fate_of(failure.error) is Fate.BLOCKED
    assert settled_meanwhile == [False, True]
    assert unknown.message.is_acked
    assert len(store.orders) == 2


async def is_read(source: SlowSource) -> bool:
    return source.reads == 2


async def test_a_command_whose_key_is_not_found_in_the_end_is_refused(
    store: InMemoryStore, on_commands: Handler, answers: Answers
) -> None:
    """Though the provider never answers."""
    unknown = received(1, ec_key("ec-2"))

    for _ in range(KEY_ATTEMPTS_MAX):
        with pytest.raises(BatchFailed):
            await on_commands([unknown])
    await on_commands([unknown])

    assert unknown.message.is_acked
    assert [each["Comanda-Status"] for each in answers.headers] == ["401"]
    assert not store.orders


def test_a_key_is_looked_for_as_long_as_the_provider_may_take() -> None:
    pauses_s = [PAUSE_MIN_S * 2**attempt * (1 - JITTER) for attempt in range(KEY_ATTEMPTS_MAX)]

    assert sum(pauses_s) > FETCH_TIMEOUT_S


async def test_a_sender_of_too_many_commands_is_told_when_to_send_again(
    store: InMemoryStore, answers: Answers
) -> None:
    """They are counted by when they were stored, and one that comes again is none more."""
    now_s = time.time() // 1
    rates = Rates("2/second", "100/second")
    on_commands = a_handler(store, answers, Admission(a_verifier(), command_rates=rates))

    await on_commands([received(number, at_s=now_s) for number in (1, 2, 3)])
    await on_commands([received(2, at_s=now_s, times=2)])
    await on_commands([received(4, at_s=now_s + 2), received(5, at_s=now_s + 4)])

    statuses = [each["Comanda-Status"] for each in answers.headers]
    assert statuses == ["201", "201", "429", "201", "201", "201"]
    assert [each.get("Retry-After") for each in answers.headers] == [None, None, "2"] + [None] * 3


async def test_a_command_that_was_too_many_is_too_many_when_it_comes_again(
    store: InMemoryStore, answers: Answers
) -> None:
    """Its acknowledgement was lost; its sender was told that it is not carried out."""
    now_s = time.time() // 1
    rates = Rates("1/second", "100/second")
    on_commands = a_handler(store, answers, Admission(a_verifier(), command_rates=rates))

    await on_commands([received(1, at_s=now_s), received(2, at_s=now_s)])
    await on_commands([received(1, at_s=now_s, times=2), received(2, at_s=now_s, times=2)])
    await on_commands([received(2, at_s=now_s + 60)])  # on a stream that was made anew

    statuses = [each["Comanda-Status"] for each in answers.headers]
    assert statuses == ["201", "429", "201", "429", "201"]
    assert answers.headers[3]["Retry-After"] == answers.headers[1]["Retry-After"]
    assert len(store.orders) == 2


async def test_a_command_whose_key_was_looked_for_is_counted_once(
    store: InMemoryStore, slow: SlowSource, answers: Answers
) -> None:
    keys = KeySet(slow)
    await keys.refresh()
    slow.answers.clear()
    keys._begun_at = None
    slow.content = a_set(ec_key(), ec_key("ec-2"))
    now_s, rates = time.time() // 1, Rates("1/second", "100/second")
    verifier = TokenVerifier(keys, EXPECTED)
    on_commands = a_handler(store, answers, Admission(verifier, command_rates=rates))
    unknown: dict[str, Any] = {"key": ec_key("ec-2"), "at_s": now_s}

    with pytest.raises(BatchFailed):
        await on_commands([received(1, **unknown)])
    slow.answers.set()
    await eventually(lambda: is_read(slow))
    await on_commands([received(1, **unknown, times=2)])
    await on_commands([received(2, **unknown)])

    assert [each["Comanda-Status"] for each in answers.headers] == ["201", "429"]


def test_commands_that_were_counted_are_forgotten_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "COUNTED_COMMANDS_MAX", 2)
    counted = sender.CountedCommands()
    times: list[int] = []

    for sequence in (1, 2, 1, 3, 1):
        counted.count((sequence, 0.0), lambda: times.append(1))

    assert len(times) == 4


async def test_a_placed_orders_answer_carries_its_guests_capability_and_no_other_does(
    store: InMemoryStore, answers: Answers
) -> None:
    key = ec_key("guests")
    on_commands = a_handler(store, answers, Admission(a_verifier()), GuestSigner(key))

    await on_commands([received(1)])
    await on_commands([received(1), received(2, body={"order_id": str(uuid.uuid4())})])

    [first, again] = [each["Comanda-Guest-Token"] for each in answers.headers[:2]]
    keys = KeySet(FakeSource(key))
    verified = [await GuestVerifier(keys).verify(token) for token in (first, again)]
    assert [each.own_order for each in verified] == [(RESTAURANT, str(*store.orders))] * 2
    assert "Comanda-Guest-Token" not in answers.headers[2]
