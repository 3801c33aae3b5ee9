"""Tells takeaway customers that their order is ready. Run: `python pickup.py`, settings below."""

import asyncio
import contextlib
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import nats
import nats.errors
from comanda_contracts import UnknownType, Unreadable, read
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE, TICKETS, TICKETS_ARCHIVE
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from login import SERVER, login, security
from nats.js import JetStreamContext, api
from notices import Notices

NAME = os.environ.get("TEAM", "pickup")
"""Name of the durable consumers, which the operator makes: our team's. Two processes share them."""
FILE = Path(os.environ.get("RECORD", "pickup.sqlite"))
API = "$JS.comanda.API"
"""What a team's account knows Comanda's JetStream by."""

ARCHIVES = (ORDERS_ARCHIVE, TICKETS_ARCHIVE)
"""What has left the streams is there; read until we have caught up."""
STREAMS = (ORDERS, TICKETS)
LOOK_EVERY = 1.0
"""Seconds between two looks at our consumers."""

log = logging.getLogger("pickup")
notices = Notices(FILE)
caught_up = asyncio.Event()
"""Set once everything that was there when we began is known: before that, what we know is old."""
broker = NatsBroker(
    SERVER,
    security=security(),
    js_options={"prefix": API},
    max_reconnect_attempts=-1,  # for as long as it takes
    reconnect_time_wait=1,
    log_level=logging.DEBUG,  # of what it says of every message
)


class ConsumerReplaced(Exception):
    """Our consumer on this stream is another one than when we began."""


async def hear(message: NatsMessage) -> None:
    """Keep what the message says, tell whom it concerns, and only then acknowledge it.

    If anything fails it is not acknowledged, and comes again after `ack_wait`.
    """
    raw = message.raw_message
    try:
        notices.apply(read(raw.headers, raw.data))
    except UnknownType as reason:  # newer than we are
        log.info("%s is skipped: %s", raw.subject, reason)
    except Unreadable as reason:  # it never will be
        log.warning("%s can't be read: %s", raw.subject, reason)
        at = raw.metadata
        notices.put_aside(at.stream, at.sequence.stream, str(reason))
        await raw.term()
        return
    if caught_up.is_set():
        tell()
    await message.ack()


def tell() -> None:
    """Tell every customer who waits; one may hear it twice, if we end right after telling."""
    for notice in notices.unsettled():
        if notice.is_too_late(datetime.now(UTC)):
            notices.settle(notice, "too late")
            continue
        order = notice.order
        print(f"{order.phone or 'at the counter'}: {order.customer}, {order.number} is ready")
        notices.settle(notice, "told")


subscribers = {
    stream: broker.subscriber(
        stream.subject,
        stream=JStream(stream.name, declare=False),  # the stream is not ours
        durable=NAME,
        pull_sub=PullSub(batch_size=100, timeout=5),
        ack_policy=AckPolicy.MANUAL,
    )
    for stream in (*ARCHIVES, *STREAMS)
}
for subscriber in subscribers.values():
    subscriber(hear)


async def watch(js: JetStreamContext) -> None:
    """Tell whom we may once we have caught up.

    Raises if a consumer of ours was deleted, which FastStream would never notice, or made anew, as
    when we may read more: it begins at the beginning, and what we know is old again.
    """
    made: dict[str, datetime | None] = {}
    while True:
        with contextlib.suppress(nats.errors.TimeoutError, nats.errors.NoRespondersError):
            ours = [await js.consumer_info(stream.name, NAME) for stream in subscribers]
            for consumer in ours:
                if made.setdefault(consumer.stream_name, consumer.created) != consumer.created:
                    raise ConsumerReplaced(consumer.stream_name)
            if not (caught_up.is_set() or any(map(is_behind, ours))):
                caught_up.set()
                tell()
                for archive in ARCHIVES:  # from now on it has nothing that the stream has not
                    await subscribers[archive].stop()
        await asyncio.sleep(LOOK_EVERY)


def is_behind(consumer: api.ConsumerInfo) -> bool:
    """Whether messages wait, or were given to us, perhaps before a crash, and not acknowledged."""
    return bool(consumer.num_pending or consumer.num_ack_pending)


async def main() -> None:
    """Run until SIGINT or SIGTERM; fail if a consumer is gone: whoever runs us starts us again."""
    async with (
        await nats.connect(SERVER, max_reconnect_attempts=-1, **login()) as client,
        asyncio.TaskGroup() as tasks,
    ):
        js = client.jetstream(prefix=API)
        watching = tasks.create_task(watch(js))
        await FastStream(broker).run()
        watching.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
