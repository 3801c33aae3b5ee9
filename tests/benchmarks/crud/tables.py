"""The tables of a restaurant's orders in one database, as their readers and writers share them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Index, text
from sqlmodel import Field, Relationship, SQLModel

ACTIVE = ("placed", "preparing", "ready", "served")


class MenuItem(SQLModel, table=True):
    """One dish or drink; `price` in minor units."""

    __tablename__ = "crud_menu_items"

    restaurant: str = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    name: str
    category: str
    price: int = Field(sa_type=BigInteger)


class Day(SQLModel, table=True):
    """How many orders a restaurant's day has had so far."""

    __tablename__ = "crud_days"

    restaurant: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    orders: int


class Order(SQLModel, table=True):
    """An order; `total` in minor units."""

    __tablename__ = "crud_orders"
    __table_args__ = (
        Index(
            "crud_orders_active",
            "restaurant",
            "placed_at",
            postgresql_where=text(f"status IN {ACTIVE}"),
        ),
        Index("crud_orders_ready", "restaurant", "ready_at"),
        Index("crud_orders_table", "restaurant", "table", "placed_at"),
        Index("crud_orders_day", "restaurant", "business_day", "number", unique=True),
    )

    id: UUID = Field(primary_key=True)
    restaurant: str
    number: str
    business_day: date
    channel: str
    table: str | None = None
    guests: int | None = None
    customer: str | None = None
    phone: str | None = None
    currency: str
    status: str
    total: int = Field(sa_type=BigInteger)
    placed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    started_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    ready_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    lines: list["Line"] = Relationship(
        back_populates="order",
        sa_relationship_kwargs={"lazy": "selectin", "order_by": "Line.position"},
    )


class Line(SQLModel, table=True):
    """Some of one menu item, with its name and price as they were when it was ordered."""

    __tablename__ = "crud_lines"

    order_id: UUID = Field(primary_key=True, foreign_key="crud_orders.id")
    position: int = Field(primary_key=True)
    sku: str
    name: str
    unit_price: int = Field(sa_type=BigInteger)
    quantity: int
    note: str | None = None
    order: Order | None = Relationship(back_populates="lines")
