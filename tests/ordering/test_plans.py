"""Looks and sweeps of large tables: by an index, and no more rows at a time than a chunk."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from nats.js.api import PubAck
from ordering.application.keyed_request import KeyedRequest
from ordering.outbound.database import cancellations
from ordering.outbound.outbox import kept_events, parked_events
from ordering.outbound.outbox.kept_events import AFTER_ALL, Position
from ordering.outbound.outbox.outbox import (
    KINDS,
    PARTITIONS,
    count_unpublished,
    mark_published,
    oldest_headers,
    select_unpublished,
)
from ordering.outbound.transaction import idempotency
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.ordering.conftest import Database

ROWS = 30_000
CHUNK_ROWS = 500
BYTES_MAX = 1_000_000
ALL = range(PARTITIONS)

FILL = [
    text(statement)
    for statement in (
        f"""
        INSERT INTO outbox
            (partition, aggregate, subject, headers, body, stream, sequence, published_at)
        SELECT n % {PARTITIONS}, 'orders.v1.la-piazza.' || n, '',
            jsonb_build_object('Nats-Msg-Id', n::text, 'ce-time', '2026-11-27T12:00:00Z'), '{{}}',
            CASE WHEN n % 3 > 0 THEN 'ORDERS' END, CASE WHEN n % 3 > 0 THEN n END,
            CASE WHEN n % 3 > 0 THEN now() - make_interval(secs => n / 25) END
        FROM generate_series(1, {ROWS}) AS n
        """,
        f"""
        INSERT INTO answers (restaurant, key, fingerprint, status, version, body, at)
        SELECT 'la-piazza', n::text, '', 200, 1, '', now() - make_interval(secs => 6 * n)
        FROM generate_series(1, {ROWS}) AS n
        """,
        f"""
        INSERT INTO parked_events (id, partition, aggregate, subject, headers, body, reason)
        SELECT {ROWS} + n, 0, 'orders.v1.elsewhere.' || n, '', '{{}}', '', 'too large'
        FROM generate_series(1, {ROWS}) AS n
        """,
        """
        INSERT INTO restaurants (restaurant, name, currency, time_zone, version)
        VALUES ('la-piazza', '', 'EUR', 'Europe/Rome', 1)
        """,
        f"""
        INSERT INTO orders (id, restaurant, number, business_day, channel, currency, status, rounds,
            total, placed_at, kitchen, version)
        SELECT gen_random_uuid(), 'la-piazza', n::text, '2026-11-27', 'dine_in', 'EUR', 'closed',
            '[]', 0, now(), '{{}}', 1
        FROM generate_series(1, {ROWS}) AS n
        """,
    )
]
READ = text("""
    SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) AS fetched FROM pg_stat_xact_user_tables
    WHERE relname IN ('outbox', 'answers', 'parked_events', 'orders')
""")

Work = Callable[[AsyncConnection], Awaitable[object]]

NOW = datetime(2026, 11, 27, tzinfo=UTC)

WORK: dict[str, Work] = {
    "read what is unpublished": lambda each: select_unpublished(
        each, ALL, KINDS, limit=32, bytes_max=BYTES_MAX
    ),
    "read what is unpublished while the orders' stream is paused": lambda each: select_unpublished(
        each, ALL, {*KINDS} - {"orders"}, limit=32, bytes_max=BYTES_MAX
    ),
    "read the oldest of each partition": oldest_headers,
    "read the oldest of each partition that is no order's": lambda each: oldest_headers(
        each, {*KINDS} - {"orders"}
    ),
    "mark as published": lambda each: mark_published(
        each, {number: PubAck("ORDERS", number) for number in range(3, 1503, 3)}
    ),
    "read what is kept": lambda each: kept_events.select_kept(
        each, "ORDERS", ALL, AFTER_ALL, CHUNK_ROWS
    ),
    "read what is kept of another stream": lambda each: kept_events.select_kept(
        each, "MENU", ALL, AFTER_ALL, CHUNK_ROWS
    ),
    "unmark what is lost": lambda each: kept_events.unmark_lost(
        each, [Position(NOW, number) for number in range(1, CHUNK_ROWS)]
    ),
    "delete what was kept for long enough": lambda each: kept_events.delete_expired(
        each, "ORDERS", ALL
    ),
    "park": lambda each: parked_events.park(each, 3, "too large"),
    "park what is behind": lambda each: parked_events.park_behind(each, range(3, 300, 3)),
    "list what is parked": lambda each: parked_events.select_parked(each, after=ROWS + 500),
    "find what is parked": lambda each: parked_events.parked_event(each, ROWS + 500),
    "release": lambda each: parked_events.release(each, ["orders.v1.elsewhere.7"]),
    "find the oldest cancellation": cancellations.cancelling,
    "count what is unpublished": count_unpublished,
    "measure what answers are kept": idempotency.measure_kept,
    "find answers": lambda each: idempotency.KeptAnswers(each).find(
        [KeyedRequest("la-piazza", str(number), "") for number in range(64)]
    ),
    "delete answers": idempotency.delete_some_expired,
}


@pytest.fixture
async def large(database: Database) -> Database:
    async with database.engine.begin() as connection:
        for statement in FILL:
            await connection.execute(statement)
    await database.administer("ANALYZE")
    return database


async def test_no_look_and_no_sweep_reads_more_than_a_chunk(
    large: Database,
) -> None:
    bad = {}
    for name, work in WORK.items():
        async with large.engine.connect() as connection:
            before = {row.relname: row for row in await connection.execute(READ)}
            await work(connection)
            after = {row.relname: row for row in await connection.execute(READ)}
            await connection.rollback()
        for table, row in after.items():
            scans = row.seq_scan - before[table].seq_scan
            fetched = row.fetched - before[table].fetched
            if scans or fetched > 5 * CHUNK_ROWS:
                bad[name] = (table, scans, fetched)

    assert bad == {}
