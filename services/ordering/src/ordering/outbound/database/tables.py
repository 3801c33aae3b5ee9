"""The tables: an aggregate a row, its parts in one JSON column, and the outbox."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    FetchedValue,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Time,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

KIND: ColumnElement[str] = literal_column("split_part(outbox.aggregate, '.', 1)")
"""By which events are found of one kind, and so of one stream; an index has it."""

CANCELLING = text("status = 'cancelling'")
"""The orders whose cancellation the kitchen has not answered; an index has them."""

HANDED_OVER = text("status = 'open' AND handed_over_at IS NOT NULL")
"""The orders that will close by themselves; an index has them."""


UNFINISHED = text("status IN ('open', 'cancelling')")
"""The orders that are not over; an index has them."""


class RestaurantRow(SQLModel, table=True):
    """A restaurant; a release that knows no `day_begins` may still write to it."""

    __tablename__ = "restaurants"

    restaurant: str = Field(primary_key=True)
    name: str
    currency: str
    time_zone: str
    version: int
    day_begins: time = Field(sa_column=Column(Time, server_default="00:00", nullable=False))
    day_begins_since: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    closes_days: bool = Field(
        sa_column=Column(Boolean, server_default=text("false"), nullable=False)
    )


class MenuItemRow(SQLModel, table=True):
    """A menu item; `price` in minor units."""

    __tablename__ = "menu_items"

    restaurant: str = Field(primary_key=True, foreign_key="restaurants.restaurant")
    sku: str = Field(primary_key=True)
    name: str
    category: str
    price: int = Field(sa_type=BigInteger)
    available: bool
    withdrawn: bool
    version: int


class WithdrawalRow(SQLModel, table=True):
    """From when on a subject's tokens are let in; one of all restaurants names none that is here.

    A row stays until no token is left that it would keep out.
    """

    __tablename__ = "withdrawals"

    restaurant: str = Field(primary_key=True)
    subject_hash: str = Field(primary_key=True)
    withdrawn_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, index=True)
    )
    version: int
    written_by: int = Field(
        sa_column=Column(
            BigInteger,
            server_default=text("0"),
            server_onupdate=FetchedValue(for_update=True),
            nullable=False,
            index=True,
        )
    )
    """The transaction that wrote it last; a trigger says so, and nobody else."""


# decision/0004: an order is one row, its rounds in a JSON column
class OrderRow(SQLModel, table=True):
    """An order; `rounds` and `cancellation` as in the published one, `total` in minor units."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("orders_number", "restaurant", "business_day", "number", unique=True),
        Index("orders_cancelling", "id", postgresql_where=CANCELLING),
        Index("orders_handed_over", "handed_over_at", postgresql_where=HANDED_OVER),
        Index("orders_unfinished", "restaurant", "business_day", postgresql_where=UNFINISHED),
    )

    id: UUID = Field(primary_key=True)
    restaurant: str = Field(foreign_key="restaurants.restaurant")
    number: str
    business_day: date
    channel: str
    table: str | None
    guests: int | None
    customer: str | None
    phone: str | None
    currency: str
    status: str
    rounds: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    total: int = Field(sa_type=BigInteger)
    placed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    cancellation: dict[str, Any] | None = Field(sa_column=Column(JSONB(none_as_null=True)))
    kitchen: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    kitchen_tickets: dict[str, Any] = Field(
        sa_column=Column(JSONB, server_default=text("'{}'"), nullable=False)
    )
    """What each of the kitchen's verdicts is as of; the release before writes none."""
    handed_over_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    forgotten_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    version: int


# decision/0077: a guest is forgotten
class ForgottenOrderRow(SQLModel, table=True):
    """The ledger of orders whose guests were forgotten: it names orders and times, and no guest.

    `version` is that of the order's latest event that says so. `erased_at` is when what was said
    before was erased of what ordering keeps; None while that is to be done.
    """

    __tablename__ = "forgotten_orders"

    order_id: UUID = Field(primary_key=True)
    restaurant: str
    version: int
    forgotten_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    erased_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))


class DayRow(SQLModel, table=True):
    """The count of orders that a restaurant's business day has had so far."""

    __tablename__ = "days"

    restaurant: str = Field(primary_key=True, foreign_key="restaurants.restaurant")
    day: date = Field(primary_key=True)
    orders: int


class DayClosingRow(SQLModel, table=True):
    """The last closing of a restaurant's business days; it runs until it is finished."""

    __tablename__ = "day_closings"

    restaurant: str = Field(primary_key=True)
    business_day: date
    reason: str
    actor: str | None
    by: dict[str, Any] | None = Field(sa_column=Column(JSONB(none_as_null=True)))
    requested_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    finished_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))
    version: int


class AnswerRow(SQLModel, table=True):
    """An answer to a request with a key, kept with the request's effect until it expires."""

    __tablename__ = "answers"

    restaurant: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    version: int
    location: str | None
    body: str
    at: datetime = Field(
        sa_column=Column(
            DateTime(timezone=True), server_default=func.now(), nullable=False, index=True
        )
    )


class OutboxRow(SQLModel, table=True):
    """An event that is committed: to be published, or published a short while ago.

    `id` gives the order within an aggregate, not across: transactions may commit out of its order.
    `stream` and `sequence` tell where it was stored, once its stream has acknowledged it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_waiting", "partition", "id", postgresql_where=text("sequence IS NULL")),
        Index(
            "outbox_waiting_by_kind",
            "partition",
            KIND,
            "id",
            postgresql_where=text("sequence IS NULL"),
        ),
        Index(
            "outbox_kept",
            "stream",
            "published_at",
            "id",
            postgresql_where=text("published_at IS NOT NULL"),
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    partition: int = Field(sa_type=SmallInteger)
    aggregate: str
    subject: str
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    stream: str | None
    sequence: int | None = Field(sa_type=BigInteger)
    published_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))


class ParkedEventRow(SQLModel, table=True):
    """An event that can't be published, taken out of the outbox with its id; `reason` says why."""

    __tablename__ = "parked_events"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    partition: int = Field(sa_type=SmallInteger)
    aggregate: str = Field(index=True)
    subject: str
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    reason: str
    parked_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), server_default=func.now(), nullable=False)
    )


def table(row: type[SQLModel]) -> Table:
    """The Core table behind a SQLModel class, for statements over many rows."""
    return row.__table__  # type: ignore[attr-defined, no-any-return]  # set by the metaclass
