"""Erases what ordering keeps of an order from before its guest was forgotten."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from comanda_contracts import Order, OrderForgotten, Unreadable, read, subjects
from comanda_contracts.streams import COMMANDS, ORDERS
from nats.aio.client import Client
from service_kit.nats.erasure import (
    Scope,
    StoredMessage,
    erase,
    erase_letters,
    mentions,
    messages_before,
)
from service_kit.nats.letter_box import Letter
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.outbound.database.forgotten import erase_rows, mark_erased
from ordering.outbound.forgetting.identity import is_same_name, is_same_phone


class OrderErasure:
    """Erases in PostgreSQL, in ORDERS and its archive, and among ordering's dead letters."""

    def __init__(self, engine: AsyncEngine, client: Callable[[], Awaitable[Client]]) -> None:
        self._engine = engine
        self._client = client

    # decision/0077: a guest is forgotten
    async def __call__(self, event: OrderForgotten, sequence: int) -> None:
        """Erase what came before this event, which is stored at this sequence. Safe to repeat.

        What tells who the guest was goes last, so that an interrupted erasure is taken up as it
        began. Raises DBAPIError, nats.errors.Error.
        """
        client, order = await self._client(), event.order
        older = await messages_before(client, _scope(order), sequence)
        guest = Guest.in_messages(older)
        async with self._engine.begin() as connection:  # else the relay would miss what is erased
            await erase_rows(
                connection,
                restaurant=order.restaurant,
                order_id=order.order_id,
                body=order.model_dump_json(),
                version=order.version,
                aggregate=subjects.aggregate(event.subject),
            )
        await erase_letters(client, "ordering", lambda each: _is_of(each, order, guest))
        await erase(client, ORDERS, older)
        async with self._engine.begin() as connection:
            await mark_erased(connection, order.order_id, order.version)


@dataclass(slots=True)
class Guest:
    """Whoever an order was for, as its messages tell."""

    customers: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)

    @classmethod
    def in_messages(cls, messages: Iterable[StoredMessage]) -> Self:
        """The guest of the order that the messages are about."""
        guest = cls()
        for each in messages:
            try:
                state = read(each.headers, each.body).state
            except Unreadable:
                continue
            if isinstance(state, Order):
                guest.customers |= {state.customer} - {None}  # type: ignore[arg-type]
                guest.phones |= {state.phone} - {None}  # type: ignore[arg-type]
        return guest

    def wrote(self, body: Any) -> bool:
        """Whether a command that names no order is this guest's: of two without a phone number
        those of one name can't be told apart. A dead letter's body may be anything.
        """
        if not isinstance(body, dict):
            return False
        if phone := body.get("phone"):
            return any(is_same_phone(str(phone), each) for each in self.phones)
        customer = str(body.get("customer") or "")
        return any(is_same_name(customer, each) for each in self.customers)


def _is_of(letter: Letter, order: Order, guest: Guest) -> bool:
    """Whether a dead letter is about the order, or is a command of its guest in the restaurant."""
    if mentions(letter, str(order.order_id)):
        return True
    commands = f"{subjects.aggregate(subjects.command(order.restaurant, '*'))}.>"
    if letter.stream != COMMANDS.name or not subjects.covers(commands, letter.subject):
        return False
    try:
        body = orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        texts = (*guest.customers, *guest.phones)
        return any(mentions(letter, each) for each in texts)
    return guest.wrote(body)


def _scope(order: Order) -> Scope:
    return Scope(
        ORDERS,
        subjects.order(order.restaurant, order.order_id, "*"),
        subjects.archived_order(order.restaurant, "*"),
        str(order.order_id),
        order.placed_at,
    )
