"""Asks every part of a running system how it is. What does not answer in time is away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import httpx
import nats.errors
from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from comanda_local.server_files import connect_nats, tls
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL
from comanda_local.status.system_status import (
    AWAY,
    ConsumerStatus,
    OutboxStatus,
    ServiceStatus,
    StoreStatus,
    StreamStatus,
    SystemStatus,
)
from comanda_local.system_urls import SystemUrls

ANSWER_TIMEOUT_S = 5.0
"""Seconds in which each part must have answered."""
SERVER_SELECTION_TIMEOUT_MS = 4_000
"""Less, so that MongoDB's driver says what is wrong."""

SILENCES = (
    *(OSError, TimeoutError, nats.errors.Error, PyMongoError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError),
)
"""What says that a server is away, or lets us not in."""

OUTBOX = """
    SELECT count(*), (array_agg(headers->>'ce-time' ORDER BY id))[1] FROM outbox
    WHERE sequence IS NULL
"""
PARKED = "SELECT count(*) FROM parked_events"

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _Streams:
    """What NATS says of itself and of what it keeps."""

    store: StoreStatus
    streams: list[StreamStatus]
    consumers: list[ConsumerStatus]
    dead_letters: dict[str, int]


async def survey(system: SystemUrls) -> SystemStatus:
    """How each service, each server and each stream is, all asked at once."""
    async with httpx.AsyncClient(timeout=ANSWER_TIMEOUT_S) as client:
        services, streams, database, mongodb = await asyncio.gather(
            asyncio.gather(*(_service(client, *each) for each in system.services.items())),
            _or_away("nats", system.nats, NATS_URL, lambda: _streams(system)),
            _or_away("postgresql", system.database, DATABASE_URL, lambda: _database(system)),
            _or_away("mongodb", system.mongodb, MONGODB_URL, lambda: _mongodb(system)),
        )
    postgresql, outbox = database if isinstance(database, tuple) else (database, None)
    if isinstance(streams, StoreStatus):
        return SystemStatus(services, [streams, postgresql, mongodb], outbox=outbox)
    return SystemStatus(
        services,
        [streams.store, postgresql, mongodb],
        streams.streams,
        streams.consumers,
        streams.dead_letters,
        outbox,
    )


async def _or_away(
    name: str, url: str, variable: str, ask: Callable[[], Coroutine[Any, Any, Found]]
) -> Found | StoreStatus:
    """What the server says; of one that does not answer, or that nobody knows of, why not."""
    if not url:
        return StoreStatus(name, reason="", version=f"not asked: set {variable}", is_known=False)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await ask()
    except SILENCES as error:
        return StoreStatus(name, reason=_in_a_line(error))


def _in_a_line(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_TIMEOUT_S:.0f} s"
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


async def _service(client: httpx.AsyncClient, name: str, url: str) -> ServiceStatus:
    try:
        answer = await client.get(f"{url}/health/ready")
        said = answer.json()
        return ServiceStatus(name, url, str(said["status"]), dict(said["components"]))
    except httpx.TransportError:
        return ServiceStatus(name, url, AWAY, reason=f"{url} can't be reached")
    except (ValueError, KeyError, TypeError):
        return ServiceStatus(name, url, AWAY, reason=f"{url} has no health page of ours")


async def _streams(system: SystemUrls) -> _Streams:
    async with _connected(system) as client:
        js = client.jetstream()
        account = await js.account_info()
        found = [_stream(each) async for each in _every_stream(js)]
        consumers = [each for stream in found async for each in _consumers(js, stream.name)]
        version = client.connected_server_version
        store = StoreStatus(
            "nats",
            f"{version.major}.{version.minor}.{version.patch}",
            account.storage,
            account.limits.max_storage if account.limits.max_storage > 0 else None,
        )
        return _Streams(store, found, consumers, await _dead_letters(js))


@asynccontextmanager
async def _connected(system: SystemUrls) -> AsyncIterator[Client]:
    async def ignore(_: Exception) -> None:
        """What is wrong is told by the question that fails."""

    client = await connect_nats(system.nats, system.files, allow_reconnect=False, error_cb=ignore)
    try:
        yield client
    finally:
        await client.close()


async def _every_stream(js: JetStreamContext) -> AsyncIterator[api.StreamInfo]:
    offset = 0
    while page := await js.streams_info(offset):
        for each in sorted(page, key=lambda info: str(info.config.name)):
            yield each
        offset += len(page)


def _stream(info: api.StreamInfo) -> StreamStatus:
    config, cluster = info.config, info.cluster
    replicas = (cluster.replicas if cluster else None) or []
    return StreamStatus(
        str(config.name),
        info.state.messages,
        info.state.bytes,
        _bound(config.max_msgs),
        _bound(config.max_bytes),
        _bound(config.max_age),
        config.num_replicas or 1,
        [str(each.name) for each in replicas if each.offline or not each.current],
    )


def _bound(most: float | None) -> Any:
    """Where the server has 0 or less there is no bound."""
    return most if most and most > 0 else None


async def _consumers(js: JetStreamContext, stream: str) -> AsyncIterator[ConsumerStatus]:
    """The durable ones: who looks once leaves no lag."""
    offset = 0
    while page := await js.consumers_info(stream, offset):
        for each in page:
            if each.config.durable_name:
                yield await _consumer(js, each)
        offset += len(page)


async def _consumer(js: JetStreamContext, info: api.ConsumerInfo) -> ConsumerStatus:
    waiting, unsettled = info.num_pending or 0, info.num_ack_pending or 0
    oldest_s = await _oldest_s(js, info) if waiting or unsettled else None
    return ConsumerStatus(info.stream_name, info.name, waiting, unsettled, oldest_s)


async def _oldest_s(js: JetStreamContext, info: api.ConsumerInfo) -> float | None:
    """Seconds since the oldest message that it has not settled was stored."""
    config = info.config
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    times = []
    for subject in config.filter_subjects or [config.filter_subject or ">"]:
        try:
            found = await js.get_msg(info.stream_name, floor + 1, subject=subject, next=True)
        except NotFoundError:
            continue
        if found.time:
            times.append(found.time)
    return _seconds_since(min(times)) if times else None


async def _dead_letters(js: JetStreamContext) -> dict[str, int]:
    try:
        info = await js.stream_info(DEAD_LETTERS.name, subjects_filter=DEAD_LETTERS.subject)
    except NotFoundError:
        return {}
    counts: Counter[str] = Counter()
    for subject, count in (info.state.subjects or {}).items():
        counts[subjects.parse_dead_letter(subject).service] += count
    return dict(sorted(counts.items()))


async def _database(system: SystemUrls) -> tuple[StoreStatus, OutboxStatus]:
    context = tls(DATABASE_URL, system.files)
    url = system.database.replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(url, ssl=context, command_timeout=ANSWER_TIMEOUT_S)
    try:
        version = str(await connection.fetchval("SHOW server_version")).split(" ")[0]
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
        [(waiting, oldest)] = await connection.fetch(OUTBOX)
        parked = await connection.fetchval(PARKED)
    finally:
        await connection.close(timeout=1)
    oldest_s = _seconds_since(datetime.fromisoformat(oldest)) if oldest else None
    return StoreStatus("postgresql", version, size), OutboxStatus(waiting, oldest_s, parked)


async def _mongodb(system: SystemUrls) -> StoreStatus:
    context = tls(MONGODB_URL, system.files)
    secured: dict[str, Any] = {"tls": True} if context else {}
    client = AsyncMongoClient[dict[str, Any]](
        system.mongodb, **secured, serverSelectionTimeoutMS=SERVER_SELECTION_TIMEOUT_MS
    )
    if context:  # the driver has no option for a certificate and its key in two files
        client.options.pool_options._PoolOptions__ssl_context = context  # type: ignore[attr-defined]
    async with client:
        database = client.get_default_database("comanda")
        version = (await client.server_info())["version"]
        used = await database.command("dbStats")
    return StoreStatus("mongodb", version, int(used["storageSize"]) + int(used["indexSize"]))


def _seconds_since(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
