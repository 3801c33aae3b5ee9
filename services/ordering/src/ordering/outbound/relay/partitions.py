"""Which partitions of the outbox a relay holds: its fair share, by session-level advisory locks."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.outbox import PARTITIONS

LOCKS = 0x636D616E
"""The first key of Comanda's advisory locks; the second is the partition."""

PRESENT = PARTITIONS
"""The second key of the lock that every relay shares, by which they are counted."""

SILENT_FOR = 20.0
"""Seconds without a question from a relay after which it counts as dead; it asks every second."""

TRY = text(f"SELECT pg_try_advisory_lock({LOCKS}, :partition)")
RELEASE = text(f"SELECT pg_advisory_unlock({LOCKS}, :partition)")
APPEAR = text(f"SELECT pg_advisory_lock_shared({LOCKS}, {PRESENT})")
COUNT = text("""
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = :locks AND objid = :present AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""").bindparams(locks=LOCKS, present=PRESENT)


class Partitions:
    """The partitions that one relay holds, for as long as its connection lives.

    PostgreSQL frees the locks of a session that ends, and ends a session that is silent: so a dead
    relay's partitions move on, also if its machine is gone without a word.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.held: set[int] = set()

    async def appear(self) -> None:
        """Be counted among the relays, for as long as something is heard of this one."""
        silent = text(f"SET idle_session_timeout = {int(1000 * SILENT_FOR)}")
        await self._connection.execute(silent)
        await self._connection.execute(APPEAR)

    async def balance(self) -> None:
        """Release what is above the fair share, or take what is free up to it.

        Call it only while nothing of the held partitions is in flight.
        """
        relays = (await self._connection.execute(COUNT)).scalar_one()
        share = -(-PARTITIONS // relays)
        while len(self.held) > share:
            await self._connection.execute(RELEASE, {"partition": self.held.pop()})
        for partition in set(range(PARTITIONS)) - self.held:
            if len(self.held) == share:
                break
            if (await self._connection.execute(TRY, {"partition": partition})).scalar_one():
                self.held.add(partition)
