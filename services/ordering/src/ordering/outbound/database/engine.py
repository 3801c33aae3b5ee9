"""The connection to PostgreSQL."""

import ssl
from typing import Any

import orjson
from sqlalchemy import AdaptedConnection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

STATEMENT_TIMEOUT_S = 5.0
"""Seconds after which a statement is given up: the server is taken to be away."""

LOCK_TIMEOUT_S = 0.25
"""Seconds after which a statement gives up waiting for a lock.

Another transaction holds one for milliseconds; a stalled one must not stop those who come after.
"""

IDLE_TRANSACTION_TIMEOUT_S = 15.0
"""Seconds without a statement after which PostgreSQL gives a transaction up.

Its process may be gone without a word, and it holds locks that others wait for.
"""


def connect(url: str, tls: ssl.SSLContext | None = None) -> AsyncEngine:
    """An engine for this URL; connections are made when they are needed.

    With `tls` they speak it, whatever the URL says of it, or are not made.
    """
    engine = create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=5,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # errors are logged, and guests have names
        connect_args={"command_timeout": STATEMENT_TIMEOUT_S, "timeout": 5} | by_tls(tls),
    )
    event.listen(engine.sync_engine, "connect", _limit_waiting)
    return engine


def by_tls(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What the driver is to be told of it: nothing without it, so that the URL may."""
    return {"ssl": tls} if tls else {}


def _limit_waiting(connection: AdaptedConnection, _: object) -> None:
    """By statements: poolers refuse connections with parameters that they don't know."""
    timeouts_s = {
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT_S,
        "lock_timeout": LOCK_TIMEOUT_S,
    }
    statements = (f"SET {name} = {int(1000 * limit)}" for name, limit in timeouts_s.items())
    connection.run_async(lambda driver: driver.execute("; ".join(statements)))


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
