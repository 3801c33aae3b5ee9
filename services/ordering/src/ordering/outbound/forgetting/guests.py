"""Finds the orders of a guest, and forgets them: some, or all that were forgotten before, again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.forget_order import ForgetOrder, forget_order
from ordering.application.transaction import Transaction
from ordering.domain.order import Order
from ordering.domain.refusals import OrderNotOver, UnknownOrder
from ordering.outbound.database.forgotten import ledger_entries
from ordering.outbound.database.tables import OrderRow, table
from ordering.outbound.forgetting.identity import is_same_name, is_same_phone
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction.group_commit import GroupCommit

PAGE_ROWS = 5_000
"""Rows that are looked at by one statement: a search of all would take longer than one may."""
IN_FLIGHT = 100
"""Orders that are forgotten at once."""
BEFORE_ALL = UUID(int=0)

ORDERS = table(OrderRow)
SELECT_PAGE = (
    select(ORDERS.c.id, ORDERS.c.restaurant, ORDERS.c.customer, ORDERS.c.phone)
    .where(ORDERS.c.id > bindparam("after", type_=Uuid))
    .order_by(ORDERS.c.id)
    .limit(PAGE_ROWS)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The guest to forget: by phone number, by name, by both, or by one of his orders."""

    restaurant: str
    phone: str | None = None
    customer: str | None = None
    order_id: UUID | None = None

    def has(self, row: Any) -> bool:
        """Whether the order of this row is the guest's; one of nobody never is."""
        return bool(
            row.restaurant == self.restaurant
            and (self.phone is None or is_same_phone(self.phone, row.phone or ""))
            and (self.customer is None or is_same_name(self.customer, row.customer or ""))
        )


class LedgerEntry(NamedTuple):
    """An order whose guest was forgotten, and the version that said so."""

    order_id: UUID
    restaurant: str
    version: int


@dataclass(slots=True)
class Outcome:
    """What became of the orders."""

    forgotten: int = 0
    not_over: list[str] = field(default_factory=list)
    """Why, of each that is under way."""
    unknown: int = 0
    """Those that are not in PostgreSQL."""


# decision/0077: a guest is forgotten
class Guests:
    """Forgets guests by the transactions of commands: the relays of the running service publish."""

    def __init__(
        self, engine: AsyncEngine, *, new_id: Callable[[], UUID], clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._store = GroupCommit(engine, new_id=new_id, first_events=FirstEvents())
        self._clock = clock

    async def orders_of(self, wanted: Wanted) -> list[UUID]:
        """The orders of the guest. Raises DBAPIError."""
        if wanted.order_id:
            return [wanted.order_id]
        return [row.id async for row in self._rows() if wanted.has(row)]

    async def forget(self, restaurant: str, order_ids: Sequence[UUID]) -> Outcome:
        """Forget their guests. Safe to repeat. Raises StoreUnavailable, DBAPIError."""
        return await self._each(
            [ForgetOrder(order_id=each, restaurant=restaurant) for each in order_ids]
        )

    async def ledger(self) -> list[LedgerEntry]:
        """All whose guests were forgotten, as PostgreSQL has them. Raises DBAPIError."""
        entries: list[LedgerEntry] = []
        after = BEFORE_ALL
        while True:
            async with self._engine.connect() as connection:
                page = await ledger_entries(connection, after)
            if not page:
                return entries
            entries += [LedgerEntry(row.order_id, row.restaurant, row.version) for row in page]
            after = page[-1].order_id

    async def forget_again(self, entries: Sequence[LedgerEntry]) -> Outcome:
        """Have it said once more of these orders, and erased once more, by everybody."""
        newest: dict[UUID, LedgerEntry] = {}
        for each in sorted(entries, key=lambda entry: entry.version):
            newest[each.order_id] = each
        return await self._each(
            [
                ForgetOrder(
                    order_id=each.order_id,
                    restaurant=each.restaurant,
                    again=True,
                    known_version=each.version,
                )
                for each in newest.values()
            ]
        )

    async def _each(self, commands: Sequence[ForgetOrder]) -> Outcome:
        outcome = Outcome()
        for first in range(0, len(commands), IN_FLIGHT):
            some = commands[first : first + IN_FLIGHT]
            found = await asyncio.gather(*map(self._forget, some), return_exceptions=True)
            for each in found:
                match each:
                    case OrderNotOver():
                        outcome.not_over.append(str(each))
                    case UnknownOrder():
                        outcome.unknown += 1
                    case BaseException():
                        raise each
                    case _:
                        outcome.forgotten += 1
        return outcome

    async def _forget(self, command: ForgetOrder) -> Order:
        def use_case(transaction: Transaction) -> Awaitable[Order]:
            return forget_order(command, transaction=transaction, at=self._clock())

        return await self._store.run(use_case, restaurant=command.restaurant)

    async def _rows(self) -> AsyncIterator[Any]:
        after = BEFORE_ALL
        while True:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(SELECT_PAGE, {"after": after})).all()
            for row in rows:
                yield row
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1].id
