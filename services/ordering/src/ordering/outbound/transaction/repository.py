"""The aggregates of one table within one transaction: read, lock, stage, save."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table, and_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.transaction.batch_loader import Current, Existing, Loader
from ordering.outbound.transaction.rows import Row

State = TypeVar("State")
Key = tuple[Any, ...]
"""The values of a table's primary key."""


@dataclass(frozen=True, slots=True)
class Mapped(Generic[State]):
    """How an aggregate lies in its table."""

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
    """What this transaction knows and changes of one table. `statements` are built once."""

    def __init__(self, connection: AsyncConnection, statements: "Statements[State]") -> None:
        self._connection = connection
        self._statements = statements
        self._read = Loader[Key, State](self._fetcher(statements.read))
        self._locked = Loader[Key, State](self._fetcher(statements.lock))
        self._staged: dict[Key, State] = {}
        self._rows: dict[Key, dict[str, Any]] = {}
        self._new: set[Key] = set()

    def ask(self, *key: Any) -> Awaitable[State | None]:
        """The aggregate as it was committed."""
        return self._read.ask(key)

    def ask_for_those(self, keys: Mapping[str, Key]) -> Awaitable[Mapping[str, State]]:
        """Those that exist, under the names that the caller gives the keys."""
        return Existing({name: self._read.ask(key) for name, key in keys.items()})

    def ask_to_change(self, *key: Any) -> Awaitable[State | None]:
        """The aggregate as it is now, locked until the transaction ends."""
        return Current(self._locked.ask(key), lambda: self._staged.get(key))

    async def answer(self) -> None:
        """Fetch everything that was asked for and is not known yet."""
        await self._read.answer()
        await self._locked.answer()

    def stage(self, state: State, *, new: bool) -> None:
        """Have the state written by `save`."""
        row = self._statements.mapped.to_row(state)
        key = self._statements.key_of(row)
        self._staged[key] = state
        self._rows[key] = row
        if new:
            self._new.add(key)

    async def save(self) -> None:
        """Write what was staged: one statement for what is new, one for what changed."""
        inserted = [row for key, row in self._rows.items() if key in self._new]
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


class Statements(Generic[State]):
    """The statements for one table."""

    def __init__(self, mapped: Mapped[State]) -> None:
        table = mapped.table
        keys = list(table.primary_key)
        self.mapped = mapped
        self.key_of: Callable[[Row], Key] = _key_of([column.name for column in keys])
        self.read = mapped.selection()
        self.lock = mapped.selection().with_for_update(of=table)
        self.insert = insert(table)
        self.update = (
            update(table)
            .where(and_(*(column == bindparam(f"_{column.name}") for column in keys)))
            .values(
                {
                    column: bindparam(f"_{column.name}")
                    for column in table.columns
                    if column not in keys
                }
            )
        )


def _key_of(names: Sequence[str]) -> Callable[[Row], Key]:
    """The primary key in a row, of the columns with these names."""
    return lambda row: tuple(row[name] for name in names)
