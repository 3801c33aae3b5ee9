"""The aggregates of one table within one transaction: load, lock, stage, save."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table, and_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.application.transaction import Decision, RecordedEvent
from ordering.outbound.transaction.batch_loader import BatchLoader, Existing
from ordering.outbound.transaction.rows import Row

State = TypeVar("State")
Key = tuple[Any, ...]
"""The values of a table's primary key."""

Record = Callable[[Sequence[RecordedEvent], bool], None]
"""Takes events of an aggregate; True says that the first of them is the aggregate's first."""


@dataclass(frozen=True, slots=True)
class Mapped(Generic[State]):
    """The mapping of an aggregate to its table."""

    table: Table
    to_row: Callable[[State], dict[str, Any]]
    of_row: Callable[[Row], State]

    def selection(self) -> Select[Any]:
        """All columns of the rows whose keys are in the parameters `k0`, `k1`, …, an array each."""
        columns = list(self.table.primary_key)
        names = [f"k{index}" for index in range(len(columns))]
        arrays = [
            bindparam(name, type_=ARRAY(column.type))
            for name, column in zip(names, columns, strict=True)
        ]
        wanted = func.unnest(*arrays).table_valued(*names).render_derived("wanted")
        same = and_(
            *(column == wanted.c[name] for column, name in zip(columns, names, strict=True))
        )
        return select(self.table).join(wanted, same).order_by(*columns)


class Aggregates(Generic[State]):
    """One transaction's view of one table, and its changes to it. `statements` are built once."""

    def __init__(
        self, connection: AsyncConnection, statements: "Statements[State]", record: Record
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._record = record
        self._committed = BatchLoader[Key, State](self._fetcher(statements.read))
        self._locked = BatchLoader[Key, State](self._fetcher(statements.lock))
        self._staged: dict[Key, State] = {}
        self._rows: dict[Key, dict[str, Any]] = {}
        self._new: set[Key] = set()

    def load(self, *key: Any) -> Awaitable[State | None]:
        """The aggregate as it was committed."""
        return self._committed.load(key)

    def load_existing(self, keys: Mapping[str, Key]) -> Awaitable[Mapping[str, State]]:
        """Those that exist, under the names that the caller gives the keys."""
        return Existing({name: self._committed.load(key) for name, key in keys.items()})

    def to_change(self, *key: Any) -> "LockedAggregate[State]":
        """The aggregate, locked until the transaction ends."""
        return LockedAggregate(self, key, self._locked.load(key))

    async def fetch_pending(self) -> None:
        """Fetch the aggregates that are not fetched yet."""
        await self._committed.fetch_pending()
        await self._locked.fetch_pending()

    def decide(
        self, key: Key, loaded: State | None, decide: Callable[[State | None], Decision[State]]
    ) -> State:
        """Have the newest state decided about, and stage and record what comes of it."""
        current = self._staged.get(key, loaded)
        decision = decide(current)
        if decision.state != current:
            self.stage(decision.state, new=current is None)
        self._record(decision.events, current is None)
        return decision.state

    def stage(self, state: State, *, new: bool) -> None:
        """Have the state written by `save`."""
        row = self._statements.mapped.to_row(state)
        key = self._statements.key_of(row)
        self._staged[key] = state
        self._rows[key] = row
        if new:
            self._new.add(key)

    async def save(self) -> None:
        """Write the staged states: one statement for the new ones, one for the changed ones."""
        inserted = [self._rows[key] for key in sorted(self._new)]  # as all do: no deadlock
        updated = [
            {f"_{name}": value for name, value in row.items()}
            for key, row in self._rows.items()
            if key not in self._new
        ]
        if inserted:
            await self._connection.execute(self._statements.insert, inserted)
        if updated:
            await self._connection.execute(self._statements.update, updated)

    def _fetcher(
        self, statement: Select[Any]
    ) -> Callable[[Sequence[Key]], Awaitable[Mapping[Key, State]]]:
        key_of, of_row = self._statements.key_of, self._statements.mapped.of_row

        async def fetch(keys: Sequence[Key]) -> Mapping[Key, State]:
            parameters = {
                f"k{index}": list(part) for index, part in enumerate(zip(*keys, strict=True))
            }
            found = await self._connection.execute(statement, parameters)
            return {key_of(row): of_row(row) for row in found.mappings()}

        return fetch


class LockedAggregate(Generic[State]):
    """The Changeable of the use cases: an aggregate whose row is locked, or that is not there."""

    def __init__(
        self,
        aggregates: Aggregates[State],
        key: Key,
        loaded: "asyncio.Future[State | None]",
    ) -> None:
        self._aggregates = aggregates
        self._key = key
        self._loaded = loaded

    async def change(self, decide: Callable[[State | None], Decision[State]]) -> State:
        loaded = await self._loaded
        return self._aggregates.decide(self._key, loaded, decide)  # with no await in between


class Statements(Generic[State]):
    """The statements for one table."""

    def __init__(self, mapped: Mapped[State]) -> None:
        table = mapped.table
        keys = list(table.primary_key)
        self.mapped = mapped
        self.key_of: Callable[[Row], Key] = _key_of([column.name for column in keys])
        self.read = mapped.selection()
        self.lock = mapped.selection().with_for_update(of=table, key_share=True)
        self.insert = insert(table)
        self.update = (
            update(table)
            .where(and_(*(column == bindparam(f"_{column.name}") for column in keys)))
            .values(
                {
                    column: bindparam(f"_{column.name}")
                    for column in table.columns
                    if column not in keys and column.server_onupdate is None
                }
            )
        )


def _key_of(names: Sequence[str]) -> Callable[[Row], Key]:
    """The primary key in a row, of the columns with these names."""
    return lambda row: tuple(row[name] for name in names)
