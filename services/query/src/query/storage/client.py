"""The connection to MongoDB: how long anything may take, and what its failures mean."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from bson import Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, AsyncMongoClient, ReadPreference, UpdateMany, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession as Session
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    CursorNotFound,
    ExecutionTimeout,
    OperationFailure,
)
from service_kit.runtime.components import Ready, WaitingFor

from query.views.merge import Document
from query.views.ports import StoreUnavailable, TimedOut, TooSlow, Unstorable

Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]

RAW_BSON: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
"""Documents as they came, to be decoded by whoever wants them."""

LENIENT: dict[str, Any] = {
    "datetime_conversion": DatetimeConversion.DATETIME_AUTO,
    "unicode_decode_error_handler": "replace",
}
"""How documents are decoded: a value that Python has not fails its own document where it is shown,
and not the answer that it is in."""
DOCUMENT: CodecOptions[Document] = CodecOptions(**LENIENT)

APPLICATION = "query"
"""The name by which the server knows our connections."""
CONNECT_TIMEOUT_S = 2.0
SERVER_SELECTION_TIMEOUT_S = 1.5
"""To find a server to talk to: less than `READ_TIMEOUT_S`, so that what is wrong with the servers
is said, and not only that the time was up."""
READ_TIMEOUT_S = 2.0
"""For one query."""
KEY_READ_TIME_MS_MAX, LIST_TIME_MS_MAX, SEARCH_TIME_MS_MAX = 1000, 1500, 1500
"""After which the server itself gives up a question: by key, in one index's order, or any other.
They are less than `READ_TIMEOUT_S`, so that the connection is kept."""
WRITE_TIMEOUT_S = 10.0
"""For one batch: less than JetStream waits for its acknowledgement."""
COMMAND_READ_TIMEOUT_S = 30.0
"""For one query of an operator's command."""
PING_INTERVAL_S = 2.0
"""Between two checks that the server is still there."""
HEARTBEAT_INTERVAL_S = 2.0
"""Between two checks, by the driver, of each member of the replica set: a network that is cut is
noticed no sooner."""

CHUNK_DOCUMENTS = 100
"""Documents that are fetched at once from a cursor over many."""

DOCUMENT_CODES = frozenset(
    {
        *(10334, 17419, 17420),  # beyond 16 MiB: sent, or as it would become
        *(2, 14, 15, 22),  # bad value, wrong type, nested too deep, invalid BSON
        *(28, 52, 55, 56, 57),  # a path or the name of a field that can't be
        *(121, 171, 17280),  # refused by a rule, two arrays in one index, a key too long for it
    }
)
"""Codes of MongoDB for what one document causes, whenever it comes; its neighbours are stored."""
SERVER_CODES = frozenset(
    {
        *(6, 7, 89, 91, 189, 202),  # the network, a shutdown, a primary that stepped down
        *(10107, 11600, 11601, 11602, 13435, 13436),  # no primary, or interrupted
        *(24, 46, 50, 112, 262, 267),  # a lock, a time limit, another write first
        *(64, 100, 225, 246, 251, 290),  # too few copies, a transaction that ended
        *(13, 18, 14031, 11000),  # may not (yet), the disk is full, two inserts at once
    }
)
"""Codes of MongoDB for the state of a server: the same write succeeds later."""


def connect(url: str, tls: ssl.SSLContext | None = None) -> tuple[Client, Database]:
    """A client that connects when first used, and the database that the URL names.

    With `tls` it speaks it, whatever the URL says of it, or does not connect.
    """
    secured: dict[str, Any] = {"tls": True} if tls else {}
    client = Client(
        url,
        **secured,
        appname=APPLICATION,
        w="majority",
        **LENIENT,
        serverSelectionTimeoutMS=int(SERVER_SELECTION_TIMEOUT_S * 1000),
        connectTimeoutMS=int(CONNECT_TIMEOUT_S * 1000),
        heartbeatFrequencyMS=int(HEARTBEAT_INTERVAL_S * 1000),
    )
    if tls:
        _speak(tls, client)
    return client, client.get_default_database("comanda")


def _speak(tls: ssl.SSLContext, client: Client) -> None:
    """Put this in the place of the client's own TLS, which is read once and never again.

    The driver has no option for it, so this goes past its names; without that slot it raises
    AttributeError.
    """
    client.options.pool_options._PoolOptions__ssl_context = tls  # type: ignore[attr-defined]


async def monitor_server(
    client: Client, set_up: Sequence[Callable[[], Awaitable[None]]], ready: Ready
) -> None:
    """Do the steps of `set_up`, then report `ready` while any member answers; else raise."""
    if set_up:
        ready(failing=str(WaitingFor("the indexes")))
    for step in set_up:
        await step()
    while True:
        try:
            await _ping(client)
        except StoreUnavailable:
            await _ping(client)  # a primary that has just gone takes the question with it
        ready()
        await asyncio.sleep(PING_INTERVAL_S)


async def _ping(client: Client) -> None:
    async with store_call():
        await client.admin.command("ping", read_preference=ReadPreference.PRIMARY_PREFERRED)


@contextlib.asynccontextmanager
async def store_call(timeout_s: float | None = None) -> AsyncIterator[None]:
    """Bound a call of the server, by `READ_TIMEOUT_S` unless told otherwise.

    Raises StoreUnavailable if the server is away, TimedOut if it is too slow, TooSlow if it has
    given this call up.
    The driver's own time-outs do the same for a third more CPU a call.
    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_S if timeout_s is None else timeout_s):
            yield
    except ExecutionTimeout as error:
        raise TooSlow(_brief(error)) from error
    except TimeoutError as error:
        raise TimedOut(_brief(error)) from error
    except ConnectionFailure as error:
        raise StoreUnavailable(_brief(error)) from error


class RawAnswer(NamedTuple):
    """What the store gives in one answer, at most 16 MiB, and whether that is everything."""

    documents: Sequence[RawBSONDocument]
    is_whole: bool
    operation_time: Timestamp | None
    """The store's own time: of what was read by a majority all up to then is in the answer. None
    while it has just begun, and has stored nothing by a majority."""
    snapshot_time: Timestamp | None
    """That of the snapshot which was read; None if none was asked for."""


async def raw_answer(collection: Collection, command: str, **asked: Any) -> RawAnswer:
    """Ask a `find` or an `aggregate`, take its first answer undecoded, and no further one.

    What comes later (`getMore`) would be decoded otherwise, and have no bound.
    """
    database, who = collection.database, collection.read_preference
    answer: Any = await database.command(
        command, collection.name, codec_options=RAW_BSON, read_preference=who, **asked
    )
    found = answer["cursor"]
    if found["id"]:
        await database.command(
            "killCursors", collection.name, cursors=[Int64(found["id"])], read_preference=who
        )
    return RawAnswer(
        found["firstBatch"],
        not found["id"],
        answer.get("operationTime"),
        found.get("atClusterTime"),
    )


async def iterate(
    cursor: AsyncCursor[Document], *, timeout_s: float
) -> AsyncGenerator[Document, None]:
    """The documents of a cursor, fetched `CHUNK_DOCUMENTS` at a time, each chunk in `timeout_s`.

    Raises StoreUnavailable, also if the server was away and so lost the cursor.
    """
    while True:
        try:
            async with store_call(timeout_s):
                some = await cursor.to_list(CHUNK_DOCUMENTS)
        except CursorNotFound as error:
            raise StoreUnavailable(_brief(error)) from error
        if not some:
            return
        for document in some:
            yield document


async def in_order_of_keys(
    collection: Collection, *, timeout_s: float
) -> AsyncGenerator[Document, None]:
    """All documents in the order of their `_id`, of whatever type, each chunk in `timeout_s`.

    No cursor stays open in between, so whoever takes them may take any time. Raises
    StoreUnavailable.
    """
    found = collection.find()
    while True:
        chunk = found.sort("_id").limit(CHUNK_DOCUMENTS)
        some = [each async for each in iterate(chunk, timeout_s=timeout_s)]
        for document in some:
            yield document
        if len(some) < CHUNK_DOCUMENTS:
            return
        last = some[-1]["_id"]  # unlike `$gt`, `min` goes on to other types
        others = collection.find({"_id": {"$ne": last}})
        found = others.min([("_id", last)]).hint([("_id", ASCENDING)])


async def write(collection: Collection, operations: Sequence[UpdateOne | UpdateMany]) -> None:
    """Do all operations, in any order.

    Each is an update of what is there, or an upsert that names nothing but `_id`: if two make the
    same new document at once, the server itself repeats the one that came second (SERVER-37124), so
    there is no duplicate key to handle. Raises Unstorable, StoreUnavailable or RuntimeError, which
    do not repeat the batch in their text: it is full of guests' names.
    """
    if not operations:
        return
    async with _writing():
        await collection.bulk_write(operations, ordered=False)


async def write_to_all(collections: Sequence[Collection], operations: Sequence[UpdateOne]) -> None:
    """Do all operations on each collection, so that all of them change at the same instant.

    Raises what `write` raises.
    """
    if len(collections) == 1:
        return await write(collections[0], operations)

    async def on_each(session: Session) -> None:
        for collection in collections:
            await collection.bulk_write(operations, ordered=False, session=session)

    async with _writing(), collections[0].database.client.start_session() as session:
        await session.with_transaction(on_each)  # again, if another writer was in the way
    return None


@contextlib.asynccontextmanager
async def _writing() -> AsyncIterator[None]:
    try:
        async with store_call(WRITE_TIMEOUT_S):
            yield
    except (BSONError, OverflowError) as error:
        raise Unstorable(_brief(error)) from None
    except BulkWriteError as error:
        details = error.details or {}
        errors = details.get("writeErrors") or details.get("writeConcernErrors") or []
        raise _failed([(each.get("code"), each.get("errmsg")) for each in errors]) from None
    except OperationFailure as error:
        raise _failed([(error.code, str(error))]) from None


def _failed(errors: Sequence[tuple[int | None, str | None]]) -> Exception:
    """The error to raise for codes and texts: it names the first, and none of the operations.

    What is known neither of documents nor of servers is a RuntimeError, of which nobody knows
    whether it passes.
    """
    code, text = errors[0] if errors else (None, None)
    said = re.split(r'["{]', text or "")[0]  # what follows is of the document
    first = f"{len(errors)} failed, the first with {code}: {said[:200]}"
    codes = {code for code, _ in errors}
    if codes & SERVER_CODES:
        return StoreUnavailable(first)
    return Unstorable(first) if codes & DOCUMENT_CODES else RuntimeError(first)


def _brief(error: Exception) -> str:
    said = f"{type(error).__name__}: {error}"
    return said.partition(" (configured timeouts")[0][:300]
