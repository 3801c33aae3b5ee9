"""What tests of the relay share: a relay of its own broker, and a look at outbox and streams."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from comanda_contracts.streams import ORDERS, Stream
from comanda_local.servers import Nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import STREAMS
from ordering.outbound.relay.relay import Relay
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as broker_running
from service_kit.nats.set_up import set_up
from service_kit.runtime.components import Component, Ready
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S

if TYPE_CHECKING:  # which imports this module
    from tests.ordering.conftest import Database


def a_relay(
    database: "Database",
    nats_server: Nats,
    first_events: FirstEvents | None = None,
    *,
    token_life_max_s: float = TOKEN_LIFE_MAX_S,
) -> Component:
    """A relay with a broker of its own, as each ordering process has one."""

    async def run(ready: Ready) -> None:
        broker = Broker([nats_server.url], "ordering")
        relay = Relay(
            database.engine,
            broker.client,
            first_events or FirstEvents(),
            token_life_max_s=token_life_max_s,
        )
        async with broker_running(broker):
            await relay.run(ready)

    return Component("relay", run)


async def set_up_streams(server: Nats) -> None:
    """What `python -m ordering set-up` does, of the relay's streams."""
    broker = Broker([server.url], "ordering")
    await set_up(broker, [server.url], streams=STREAMS, replicas=1)


def outbox_is_empty(database: "Database") -> Callable[[], Awaitable[bool]]:
    async def is_empty() -> bool:
        return await database.rows("SELECT count(*) FROM outbox WHERE sequence IS NULL") == [(0,)]

    return is_empty


async def subjects_parked(database: "Database") -> list[str]:
    """The subjects of the events that are parked, oldest first."""
    return [
        str(subject)
        for (subject,) in await database.rows("SELECT subject FROM parked_events ORDER BY id")
    ]


async def messages(js: JetStreamContext, stream: Stream) -> list[Msg]:
    """Everything on the stream, in its order."""
    count = (await js.stream_info(stream.name)).state.messages
    subscription = await js.subscribe(stream.subject, ordered_consumer=True)
    found = [await subscription.next_msg(timeout=60) for _ in range(count)]
    await subscription.unsubscribe()
    return found


async def versions(js: JetStreamContext) -> dict[str, list[str]]:
    """Each order's events by name, in the stream's order."""
    found = defaultdict(list)
    for message in await messages(js, ORDERS):
        aggregate, _, event = message.subject.rpartition(".")
        found[aggregate].append(event)
    return found
