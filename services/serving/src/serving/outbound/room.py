"""Whether the stream TICKETS has room for another change."""

import asyncio

from comanda_contracts.streams import TICKETS
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BucketNotFoundError
from service_kit.nats.leader import asking_leader_of
from service_kit.nats.stream_follower import leader_says
from service_kit.runtime.components import Ready

from serving.outbound.bookmarks import BUCKET, STREAM_OF_BUCKET

CHECK_INTERVAL_S = 2.0
"""Seconds between two looks."""
KEY = "room"
SERVER_FULL = (10023, 10047)
STREAM_FULL = (10077,)
"""Error codes of JetStream."""


async def watch_room(js: JetStreamContext, ready: Ready) -> None:
    """Say that there is room while the stream's leader says so, and the servers store something.

    A stream that is bounded is full before a change is refused: when one of the usual size no
    longer fits. That the servers have no room is known by nothing but a refusal, so a few bytes are
    put into the bucket, in place of those before. Raises LeaderSilent, as the bucket has one, too.
    """
    while True:
        info = await leader_says(js, TICKETS)
        ready(failing=_stream_is_full(info) or await _servers_are_full(js))
        await asyncio.sleep(CHECK_INTERVAL_S)


def _stream_is_full(info: api.StreamInfo) -> str | None:
    config, state = info.config, info.state
    usual_bytes = state.bytes / state.messages if state.messages else 0
    no_more_bytes = 0 < (config.max_bytes or 0) < state.bytes + usual_bytes
    no_more_messages = 0 < (config.max_msgs or 0) <= state.messages
    if config.discard == api.DiscardPolicy.NEW and (no_more_bytes or no_more_messages):
        return f"{TICKETS.name} is full: {state.messages} messages, {state.bytes} bytes"
    return None


async def _servers_are_full(js: JetStreamContext) -> str | None:
    try:
        with asking_leader_of(STREAM_OF_BUCKET):
            await (await js.key_value(BUCKET)).put(KEY, b"")
    except BucketNotFoundError:  # not set up, without which serving does its job
        return None
    except APIError as error:
        if error.err_code in SERVER_FULL + STREAM_FULL:
            return f"JetStream is full: {error.description}"
        raise
    return None
