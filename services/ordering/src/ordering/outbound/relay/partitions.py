"""Which partitions of the outbox a relay holds: its fair share, by session-level advisory locks."""

from sqlalchemy import bindparam, column, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.outbox import PARTITIONS

LOCK_CLASS = 0x636D616E
"""The first key of Comanda's advisory locks; the second is the partition."""

PRESENCE = PARTITIONS
"""The second key of the lock that every relay shares, by which they are counted."""

IDLE_SESSION_TIMEOUT_S = 20.0
"""Seconds without a statement after which a relay counts as dead; it sends one every second."""

TRY_LOCK = select(func.pg_try_advisory_lock(LOCK_CLASS, bindparam("partition")))
UNLOCK = select(func.pg_advisory_unlock(LOCK_CLASS, bindparam("partition")))
APPEAR = select(func.pg_advisory_lock_shared(LOCK_CLASS, PRESENCE))
_LOCKS = table(
    "pg_locks",
    *(column(name) for name in ("locktype", "classid", "objid", "granted", "database")),
)
_DATABASES = table("pg_database", column("oid"), column("datname"))
COUNT_RELAYS = (
    select(func.count())
    .select_from(_LOCKS)
    .where(
        _LOCKS.c.locktype == "advisory",
        _LOCKS.c.classid == LOCK_CLASS,
        _LOCKS.c.objid == PRESENCE,
        _LOCKS.c.granted,
        _LOCKS.c.database
        == select(_DATABASES.c.oid)
        .where(_DATABASES.c.datname == func.current_database())
        .scalar_subquery(),
    )
)


# decision/0002: state and event are committed in one transaction
class Partitions:
    """The partitions that one relay holds, for as long as its connection lives.

    PostgreSQL frees the locks of a session that ends, and ends a session that is silent: so a dead
    relay's partitions move on, also if its machine is gone without a word.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.held: set[int] = set()

    async def appear(self) -> None:
        """Be counted among the relays, for as long as this one sends statements."""
        timeout = text(f"SET idle_session_timeout = {int(1000 * IDLE_SESSION_TIMEOUT_S)}")
        await self._connection.execute(timeout)
        await self._connection.execute(APPEAR)

    async def balance(self) -> None:
        """Release what is above the fair share, or take what is free up to it.

        Call it only while nothing of the held partitions is in flight.
        """
        relays = (await self._connection.execute(COUNT_RELAYS)).scalar_one()
        share = -(-PARTITIONS // relays)
        while len(self.held) > share:
            await self._connection.execute(UNLOCK, {"partition": self.held.pop()})
        for partition in set(range(PARTITIONS)) - self.held:
            if len(self.held) == share:
                break
            if (await self._connection.execute(TRY_LOCK, {"partition": partition})).scalar_one():
                self.held.add(partition)
