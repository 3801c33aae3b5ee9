"""Ordering hears of withdrawals from its table: every replica, and without NATS."""

from datetime import timedelta

import pytest
from comanda_contracts.access import hash_of_subject
from ordering.outbound.database.engine import connect
from ordering.outbound.database.withdrawals import (
    BEGINNING,
    access_components,
    delete_some_expired,
    oldest_running_transaction,
    select_withdrawals,
)
from service_kit.access.principal import Principal
from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, running
from sqlalchemy import TextClause, text

from tests.ordering.conftest import Database
from tests.ordering.use_cases import open_la_piazza, withdrawing_access
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

HERE = "la-piazza"
NOW = utc_now()
NEVER_S = 0.0


def knows(known: Withdrawals, subject: str, issued_at_s: float = NEVER_S) -> bool:
    principal = Principal(
        subject=subject,
        device=None,
        grants={},
        acting=frozenset(),
        issued_at=issued_at_s,
        begins_at=issued_at_s,
        expires_at=issued_at_s + 900,
    )
    return known.is_withdrawn(HERE, principal)


async def test_it_knows_what_was_withdrawn_before_and_hears_what_is_withdrawn_then(
    database: Database,
) -> None:
    """The second time it is by a replica whose clock is behind."""
    store, known = database.replica(), Withdrawals()
    await open_la_piazza(store)
    await store.run(withdrawing_access(hash_of_subject("luigi"), at=NOW))

    access, follower = access_components(database.engine, known)
    async with running([access, follower]):
        await eventually(lambda: _is_ready(access, follower))
        at_first = knows(known, "luigi"), knows(known, "gina")
        behind = NOW - timedelta(minutes=2)
        await store.run(withdrawing_access(hash_of_subject("gina"), "_every", at=behind))

        async def hears() -> bool:
            return knows(known, "gina")

        await eventually(hears)
    assert at_first == (True, False)
    assert not knows(known, "luigi", NOW.timestamp() + 1)


async def test_a_replica_whose_clock_is_ahead_hides_no_later_withdrawal(
    database: Database,
) -> None:
    store, known = database.replica(), Withdrawals()
    await open_la_piazza(store)
    await store.run(withdrawing_access(hash_of_subject("luigi"), at=NOW + timedelta(hours=1)))

    access, follower = access_components(database.engine, known)
    async with running([access, follower]):
        await eventually(lambda: _is_ready(access, follower))
        for subject in ("gina", "mario"):
            await store.run(withdrawing_access(hash_of_subject(subject), at=NOW))

        async def hears() -> bool:
            return knows(known, "gina") and knows(known, "mario")

        await eventually(hears)


async def test_what_is_committed_late_is_not_passed_over(database: Database) -> None:
    """Transactions are not over in the order in which they began."""
    await open_la_piazza(database.replica())
    early, late = (withdrawing_by_hand(hash_of_subject(each)) for each in ("luigi", "gina"))
    async with database.engine.connect() as slow, database.engine.connect() as reader:
        await slow.execute(early)
        async with database.engine.begin() as quick:
            await quick.execute(late)
        since = await oldest_running_transaction(reader)
        at_first = await select_withdrawals(reader, BEGINNING)
        await slow.commit()
        then = await select_withdrawals(reader, since)
        await slow.execute(text("UPDATE withdrawals SET version = 2"))
        await slow.commit()
        renewed = await select_withdrawals(reader, since)

    assert [row.subject_hash for row in at_first] == [hash_of_subject("gina")]
    assert hash_of_subject("luigi") in [row.subject_hash for row in then]
    assert [row.version for row in renewed] == [2, 2]


async def test_those_that_keep_nobody_out_any_more_are_deleted(database: Database) -> None:
    store, kept_for = database.replica(), timedelta(days=32)
    await open_la_piazza(store)
    for subject, days in (("old", 33), ("older", 40), ("moved", 33), ("new", 31)):
        await store.run(withdrawing_access(subject, at=NOW - timedelta(days=days)))
    await store.run(withdrawing_access("moved", at=NOW))

    async with database.engine.begin() as connection:
        deleted = await delete_some_expired(connection, kept_for)
    again = await store.run(withdrawing_access("old", at=NOW))

    assert deleted == 2
    assert again.version == 1
    assert await database.rows("SELECT subject_hash FROM withdrawals ORDER BY 1") == [
        ("moved",),
        ("new",),
        ("old",),
    ]


def withdrawing_by_hand(subject_hash: str) -> TextClause:
    """By a statement of a program that does not know the column."""
    return text(
        "INSERT INTO withdrawals (restaurant, subject_hash, withdrawn_at, version) "
        f"VALUES ('{HERE}', '{subject_hash}', now(), 1)"
    )


async def _is_ready(*components: Component) -> bool:
    return all(each.ready for each in components)


async def test_it_is_not_ready_before_it_has_read_them() -> None:
    engine = connect("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    access, follower = access_components(engine, Withdrawals())

    async def fails() -> bool:
        return "starting" not in (access.state, follower.state)

    async with running([access, follower]):
        await eventually(fails)
        assert not access.ready
    await engine.dispose()
