"""The members of MongoDB's replica set, as the driver knows them: whether one is primary."""

import asyncio
from datetime import UTC, datetime, timedelta

from bson import Timestamp
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.topology_description import TOPOLOGY_TYPE
from service_kit.runtime.components import Ready

from query.storage.client import Client

LOOK_INTERVAL_S = 1.0
"""Between two looks at what the driver knows; it is told of an election at once."""
SNAPSHOT = "snapshot"
"""Read concern: a change during a read can't hide an order or show it twice."""


class Members:
    """Tells whether there is a primary, and how old the views are while there is none."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: Timestamp | None = None

    @property
    def are_without_primary(self) -> bool:
        """Whether there is none, while another member can be read from."""
        known = self._client.topology_description
        is_without = known.topology_type == TOPOLOGY_TYPE.ReplicaSetNoPrimary
        return is_without and known.has_readable_server(ReadPreference.SECONDARY)

    def as_of(self) -> datetime | None:
        """What was stored before that any member has; None if there is a primary, or none knows."""
        if not self.are_without_primary:
            return None
        members = self._client.topology_description.known_servers
        stored = [each.last_write_date for each in members if each.last_write_date is not None]
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(stored)) if stored else None

    async def report_primary(self, ready: Ready) -> None:
        """Report, for ever, whether there is a primary."""
        while True:
            as_of = self.as_of()
            since = f"answers are of {as_of:%Y-%m-%dT%H:%M:%SZ}" if as_of else "answers may be old"
            ready(failing=f"no primary: {since}" if self.are_without_primary else None)
            await asyncio.sleep(LOOK_INTERVAL_S)

    def note(self, operation_time: Timestamp | None) -> None:
        """A client was told what a majority had then: it is read no earlier from a primary."""
        if operation_time and (self._seen is None or operation_time > self._seen):
            self._seen = operation_time

    def snapshot(self) -> ReadConcern:
        """A snapshot of a primary, no older than what clients were told."""
        return _SnapshotAfter(self._seen) if self._seen else ReadConcern(SNAPSHOT)


class _SnapshotAfter(ReadConcern):
    """A snapshot that has everything up to a time."""

    def __init__(self, time: Timestamp) -> None:
        super().__init__(SNAPSHOT)
        self._time = time

    @property
    def document(self) -> dict[str, object]:
        return {"level": SNAPSHOT, "afterClusterTime": self._time}
