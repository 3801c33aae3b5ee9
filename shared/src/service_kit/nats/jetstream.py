"""JetStream for services: connect, set up streams and consumers, publish many at once."""

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
import nats.errors
import structlog
from comanda_contracts.envelope import Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NoStreamResponseError

from service_kit.nats.closing import close
from service_kit.nats.wire import tolerate_any_bytes
from service_kit.runtime.nats_servers import NatsServers

log = structlog.get_logger()

NO_RESPONDERS = "503"

RECONNECT_INTERVAL_S = 0.25
PING_INTERVAL_S = 5.0
"""A server that has left two pings without an answer is gone, though nobody has closed the
connection: its machine has stopped, or the network is cut.
"""

API = "$JS.comanda.API"
"""Where JetStream's API is for those who are in another account than the streams."""

SUBJECT_BYTES_MAX = 1024
"""For a line of more than 4 KiB, subjects included, the server closes the connection."""

Outcome = api.PubAck | Exception
"""What became of a published message."""

REPORT_AGAIN_AFTER = 30.0
"""Seconds after which what is still wrong with a connection is reported again."""

ACK_WAIT = 30.0
"""Seconds after which a message that was delivered and not settled is delivered again."""


SERVER_VERSION_MIN = (2, 12)
"""Before 2.11 no ticket can be changed, for want of a condition; before 2.12 no batch is atomic."""


class ServerTooOld(Exception):
    """The NATS server lacks what the services need; the text names its version and ours."""


def require_server(client: Client) -> None:
    """Raise ServerTooOld unless the server that the client is connected to is new enough."""
    version = client.connected_server_version
    if (version.major, version.minor) < SERVER_VERSION_MIN:
        needed = ".".join(map(str, SERVER_VERSION_MIN))
        found = f"{version.major}.{version.minor}.{version.patch}"
        raise ServerTooOld(f"NATS {found} is too old: {needed} or newer is needed")


@contextlib.asynccontextmanager
async def connected(servers: Sequence[str], name: str) -> AsyncIterator[Client]:
    """A connection that waits for the servers, and reconnects, for as long as it takes.

    Nothing is buffered while it is disconnected: a publish then fails at once, so that no message
    is sent late, behind the back of whoever gave it up.

    A user and password are those of the first server's URL. The user's answers come on subjects
    below `_INBOX_<user>`, so that permissions can keep those of each user apart.
    """
    troubles = ConnectionTroubles(name)
    client = await nats.connect(
        list(servers),
        name=name,
        **credentials(servers),
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_INTERVAL_S,
        pending_size=0,
        error_cb=troubles.report,
        reconnected_cb=troubles.forget,
        ping_interval=PING_INTERVAL_S,
    )
    try:
        yield tolerate_any_bytes(client)
    finally:
        await close(client)


def jetstream(client: Client) -> JetStreamContext:
    """JetStream as the client's user reaches it.

    The streams are in an account that no service is in, whose API has a name of its own for every
    user, the operator too. A server without users has no accounts either.
    """
    return client.jetstream(prefix=api_prefix(client))


def api_prefix(client: Client) -> str:
    """What JetStream's API is called by the client's user."""
    return api_prefix_of(client.options["user"])


def api_prefix_of(user: str | None) -> str:
    """What JetStream's API is called by this user; None stands for a server without users."""
    return API if user else api.DEFAULT_PREFIX


def credentials(servers: Sequence[str]) -> dict[str, Any]:
    """What the client is to be told of the user in the first server's URL, if there is one.

    A server that speaks no TLS is refused before anything is said to it, if TLS is wanted: the
    handshake comes first, so that the server has `handshake_first` in its configuration, too.
    """
    told: dict[str, Any] = {}
    key: dict[str, str] = {}
    tls = None
    if isinstance(servers, NatsServers):
        key = {"nkeys_seed": servers.nkey, "nkeys_seed_str": servers.seed}
        tls = servers.tls
    key = {name: value for name, value in key.items() if value}
    parts = urlsplit(servers[0])
    user = unquote(parts.username or "")
    if user and (key or parts.password):  # a name alone is a token, which the client knows
        told |= {"user": user, "inbox_prefix": f"_INBOX_{user}"}
    told |= key
    if user and parts.password:  # beside a key for a server that knows of none yet
        told["password"] = unquote(parts.password)
    if tls:
        told |= {"tls": tls, "tls_handshake_first": True}
    return told


class ConnectionTroubles:
    """Reports what is wrong with a connection: at once what is new, then from time to time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reported_at: dict[str, float] = {}

    async def report(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        now = time.monotonic()
        if now - self._reported_at.get(reason, -math.inf) >= REPORT_AGAIN_AFTER:
            self._reported_at[reason] = now
            log.warning("nats", connection=self._name, reason=reason)

    async def forget(self) -> None:
        """The servers are back: what is wrong from now on is new."""
        self._reported_at.clear()
        log.info("nats is back", connection=self._name)


async def publish_all(
    client: Client, messages: Sequence[Message], *, timeout: float = 5.0
) -> list[Outcome]:
    """Publish many at once and wait, `timeout` seconds at most, for their acknowledgements.

    Returns, in the order of `messages`, each one's acknowledgement or what went wrong; after a
    TimeoutError the message may yet have been stored. The client library's own `publish_async`
    does not serve here: it loses a slot for good with every message that it could not send.
    """
    outcomes: list[Outcome] = [TimeoutError("not acknowledged in time")] * len(messages)
    waiting = set(range(len(messages)))
    all_settled = asyncio.Event()

    def settle(position: int, outcome: Outcome) -> None:
        outcomes[position] = outcome
        waiting.discard(position)
        if not waiting:
            all_settled.set()

    async def hear(reply: Msg) -> None:
        settle(int(reply.subject.rpartition(".")[2]), _outcome(reply))

    if not messages:
        return outcomes
    inbox = client.new_inbox()
    subscription = await client.subscribe(f"{inbox}.*", cb=hear)
    try:
        for position, message in enumerate(messages):
            try:
                await publish(client, message, reply=f"{inbox}.{position}")
            except Exception as error:  # told to the caller, as each message's outcome
                settle(position, error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await all_settled.wait()
    finally:
        with contextlib.suppress(nats.errors.Error):  # a lost connection has no subscriptions
            await subscription.unsubscribe()
    return outcomes


async def publish(client: Client, message: Message, *, reply: str = "") -> None:
    """Publish one message, and wait for no answer. Raises what `require_sendable` raises."""
    require_sendable(client, message)
    await client.publish(message.subject, message.body, reply, dict(message.headers))


def require_sendable(client: Client, message: Message) -> None:
    """Raise MaxPayloadError or BadSubjectError for what the server would close the connection for.

    The client itself weighs the body alone.
    """
    if len(message.subject.encode(errors="replace")) > SUBJECT_BYTES_MAX:
        raise nats.errors.BadSubjectError
    headers = message.headers
    characters = sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers)
    may_be_large = len(message.body) + 4 * characters + 16 > client.max_payload
    if may_be_large and size_bytes(message) > client.max_payload:
        raise nats.errors.MaxPayloadError


def size_bytes(message: Message) -> int:
    """What NATS counts: the body, and each header with what stands around it."""
    headers = sum(
        len(f"{name}: {text}\r\n".encode(errors="replace"))
        for name, text in message.headers.items()
    )
    return len(b"NATS/1.0\r\n\r\n") + headers + len(message.body)


def _outcome(reply: Msg) -> Outcome:
    """What the stream answered to a message."""
    if (reply.headers or {}).get(api.Header.STATUS) == NO_RESPONDERS:
        return NoStreamResponseError()
    answer = json.loads(reply.data)
    if "error" not in answer:
        return api.PubAck(answer["stream"], answer["seq"], duplicate=answer.get("duplicate"))
    try:
        raise APIError.from_error(answer["error"])
    except APIError as error:
        return error
