"""The service that one would write instead: one database, one model for writing and reading."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, literal_column
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from uuid_utils.compat import uuid7

from tests.benchmarks.crud.access import may
from tests.benchmarks.crud.tables import ACTIVE, Day, Line, MenuItem, Order

PREFIX = "/v1/restaurants/{restaurant}"
RECENT = 60
ON_THE_BOARD = tuple(
    getattr(Order, name)
    for name in ("id", "number", "channel", "table", "placed_at", "status", "ready_at")
)

engine = create_async_engine(os.environ["CRUD_DATABASE_URL"], pool_size=20, max_overflow=0)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.execute(func.pg_advisory_xact_lock(1).select())
        await connection.run_sync(SQLModel.metadata.create_all)
    yield
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine, expire_on_commit=False) as session:
        yield session


app = FastAPI(lifespan=lifespan, dependencies=[Depends(may)])
Session = Annotated[AsyncSession, Depends(session)]


class LineBody(BaseModel):
    """Some of one menu item."""

    sku: str
    quantity: int = Field(ge=1, le=999)
    note: str | None = Field(default=None, max_length=200)


class OrderBody(BaseModel):
    """An order as a client sends it."""

    channel: Literal["dine_in", "takeaway"]
    table: str | None = None
    guests: int | None = None
    customer: str | None = None
    phone: str | None = None
    lines: list[LineBody] = Field(min_length=1, max_length=200)


class LineShown(BaseModel):
    """A line as a client gets to see it."""

    model_config = ConfigDict(from_attributes=True)

    sku: str
    name: str
    unit_price: int
    quantity: int
    note: str | None


class OrderShown(BaseModel):
    """An order as a client gets to see it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    restaurant: str
    number: str
    business_day: date
    channel: str
    table: str | None
    guests: int | None
    customer: str | None
    phone: str | None
    currency: str
    status: str
    total: int
    placed_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    lines: list[LineShown]


class BoardOrder(BaseModel):
    """An order on the board."""

    id: UUID
    number: str
    channel: str
    table: str | None
    placed_at: datetime
    status: str
    position: int | None = None
    estimated_ready_at: datetime | None = None
    ready_at: datetime | None = None


class Board(BaseModel):
    """What is being prepared and what is ready, the oldest order first."""

    preparing: list[BoardOrder]
    ready: list[BoardOrder]


class Seller(BaseModel):
    """A menu item and how much of it was sold."""

    sku: str
    name: str
    quantity: int
    revenue: int


@app.post(PREFIX + "/orders", status_code=201, response_model=OrderShown)
async def place(restaurant: str, body: OrderBody, session: Session) -> Order:
    """Place an order: the items in one query, the number in one statement, one commit."""
    wanted = {line.sku for line in body.lines}
    found = await session.exec(
        select(MenuItem).where(MenuItem.restaurant == restaurant, col(MenuItem.sku).in_(wanted))
    )
    items = {item.sku: item for item in found}
    if missing := wanted - items.keys():
        raise HTTPException(422, f"not on the menu: {', '.join(sorted(missing))}")
    now = datetime.now(UTC)
    order = Order(
        id=uuid7(),
        restaurant=restaurant,
        number=f"A-{await _next_number(session, restaurant, now.date()):03}",
        business_day=now.date(),
        currency="EUR",
        status="placed",
        total=sum(items[line.sku].price * line.quantity for line in body.lines),
        placed_at=now,
        **body.model_dump(exclude={"lines"}),
    )
    order.lines = [
        Line(
            order_id=order.id,
            position=position,
            name=items[line.sku].name,
            unit_price=items[line.sku].price,
            **line.model_dump(),
        )
        for position, line in enumerate(body.lines)
    ]
    session.add(order)
    await session.commit()
    return order


async def _next_number(session: AsyncSession, restaurant: str, day: date) -> int:
    taking = insert(Day).values(restaurant=restaurant, day=day, orders=1)
    taken = await session.exec(
        taking.on_conflict_do_update(
            index_elements=["restaurant", "day"], set_={"orders": col(Day.orders) + 1}
        ).returning(col(Day.orders))
    )
    return int(taken.scalar_one())


@app.get(PREFIX + "/orders/active", response_model=list[OrderShown])
async def active_orders(restaurant: str, session: Session) -> list[Order]:
    """The active orders with their lines, oldest first."""
    found = await session.exec(
        select(Order)
        .where(Order.restaurant == restaurant, col(Order.status).in_(ACTIVE))
        .order_by(col(Order.placed_at))
    )
    return list(found)


@app.get(PREFIX + "/orders/{order_id}", response_model=OrderShown)
async def one_order(restaurant: str, order_id: UUID, session: Session) -> Order:
    """One order with its lines."""
    order = await session.get(Order, order_id)
    if order is None or order.restaurant != restaurant:
        raise HTTPException(404)
    return order


@app.get(PREFIX + "/orders", response_model=list[OrderShown])
async def orders_of_a_table(
    restaurant: str, table: str, session: Session, limit: int = 20
) -> list[Order]:
    """A table's latest orders with their lines: two queries, however many they are."""
    found = await session.exec(
        select(Order)
        .where(Order.restaurant == restaurant, Order.table == table)
        .order_by(col(Order.placed_at).desc())
        .limit(limit)
    )
    return list(found)


@app.get(PREFIX + "/board", response_model=Board)
async def board(restaurant: str, session: Session) -> Board:
    """The board: of the active orders just what it shows, and how fast the kitchen was lately."""
    found = await session.exec(
        select(*ON_THE_BOARD)
        .where(Order.restaurant == restaurant, col(Order.status).in_(ACTIVE))
        .order_by(col(Order.placed_at))
    )
    orders = [BoardOrder(**row) for row in found.mappings()]
    pace, now = await _pace(session, restaurant), datetime.now(UTC)
    waiting = [order for order in orders if order.status == "placed"]
    for position, order in enumerate(waiting, start=1):
        order.position = position
        order.estimated_ready_at = now + position * pace if pace else None
    return Board(
        preparing=[order for order in orders if order.status in ("placed", "preparing")],
        ready=[order for order in orders if order.status == "ready"],
    )


async def _pace(session: AsyncSession, restaurant: str) -> timedelta | None:
    """From one order's being ready to the next one's, over the latest."""
    latest = await session.exec(
        select(Order.ready_at)
        .where(Order.restaurant == restaurant, col(Order.ready_at).is_not(None))
        .order_by(col(Order.ready_at).desc())
        .limit(RECENT)
    )
    times = [time for time in latest if time]
    return (times[0] - times[-1]) / (len(times) - 1) if len(times) > 1 else None


@app.get(PREFIX + "/sales/top", response_model=list[Seller])
async def top(restaurant: str, day: date, session: Session, limit: int = 10) -> list[Seller]:
    """What sold best on a day, by revenue."""
    quantity = func.sum(col(Line.quantity)).label("quantity")
    revenue = func.sum(col(Line.quantity) * col(Line.unit_price)).label("revenue")
    found = await session.exec(
        select(Line.sku, func.min(col(Line.name)), quantity, revenue)
        .join(Order)
        .where(
            Order.restaurant == restaurant, Order.business_day == day, Order.status != "cancelled"
        )
        .group_by(col(Line.sku))
        .order_by(literal_column("revenue").desc(), col(Line.sku))
        .limit(limit)
    )
    return [
        Seller(sku=sku, name=name, quantity=quantity, revenue=revenue)
        for sku, name, quantity, revenue in found
    ]
