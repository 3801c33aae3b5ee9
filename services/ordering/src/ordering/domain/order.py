"""An order: what was asked for, round by round, and what may still happen to it.

Every decision returns an event that carries the whole order after it; nothing is changed in place.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from ordering.domain.refusals import (
    OrderNotOpen,
    OrderTooLarge,
    StillInTheKitchen,
    TooLateToCancel,
    UnknownRound,
)
from ordering.domain.restaurant import Restaurant

MOST_LINES = 500
"""Lines an order may have, so that an event fits into one message of the broker."""

NUMBERS_A_LETTER = 999


class Heard(StrEnum):
    """The last that ordering heard from the kitchen of a round that is not just queued.

    What is heard stays true: a round that was begun can't be voided any more, and one that was
    voided is never begun.
    """

    BEGUN = "begun"
    SERVED = "served"
    VOIDED = "voided"


class OrderStatus(StrEnum):
    """Where the order is; what the kitchen does is not ordering's to say."""

    OPEN = "open"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Some of one menu item, with its name and price (minor units) as they were then."""

    sku: str
    name: str
    unit_price: int
    quantity: int
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The lines that were ordered together; `voided` once the kitchen won't make them."""

    round: int
    lines: tuple[Line, ...]
    ordered_at: datetime
    voided: bool = False

    @property
    def total(self) -> int:
        """What it costs, in minor units."""
        return 0 if self.voided else sum(line.unit_price * line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DineIn:
    """Guests at a table."""

    table: str
    guests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeaway:
    """A customer who comes to fetch it."""

    customer: str
    phone: str | None = None


Party = DineIn | Takeaway
"""Who the order is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What was asked to be cancelled, while the kitchen has not answered for all of it."""

    rounds: tuple[int, ...]
    reason: str
    actor: str | None = None
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The whole order.

    `version` counts its events. `kitchen` is what the kitchen has told ordering, by round:
    knowledge of ordering's own that no event carries, so learning more makes no new version.
    """

    order_id: UUID
    restaurant: str
    number: str
    business_day: date
    party: Party
    currency: str
    rounds: tuple[Round, ...]
    placed_at: datetime
    version: int
    status: OrderStatus = OrderStatus.OPEN
    cancellation: Cancellation | None = None
    kitchen: Mapping[int, Heard] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """What the order costs, in minor units of its currency."""
        return sum(each.total for each in self.rounds)

    @property
    def in_the_kitchen(self) -> tuple[int, ...]:
        """The rounds that are still to be served."""
        return tuple(each for each in self._wanted if self.kitchen.get(each) is not Heard.SERVED)

    def add_items(
        self, lines: tuple[Line, ...], *, at: datetime, actor: str | None
    ) -> "ItemsAdded":
        """Order a further round. Raises OrderNotOpen, OrderTooLarge."""
        self._must_be_open()
        new = Round(round=len(self.rounds) + 1, lines=lines, ordered_at=at)
        rounds = (*self.rounds, new)
        _check_size(rounds)
        order = self._next(rounds=rounds)
        return ItemsAdded(order=order, at=at, actor=actor, round=new.round)

    def close(self, *, at: datetime, actor: str | None) -> "OrderClosed":
        """End the order. Raises OrderNotOpen, StillInTheKitchen."""
        self._must_be_open()
        if self.in_the_kitchen:
            raise StillInTheKitchen(self.number, self.in_the_kitchen)
        return OrderClosed(order=self._next(status=OrderStatus.CLOSED), at=at, actor=actor)

    def cancel(
        self, rounds: Collection[int] | None, *, reason: str, at: datetime, actor: str | None
    ) -> "CancellationRequested":
        """Ask for some rounds, or for all, to be cancelled; the kitchen has the last word.

        Raises OrderNotOpen, UnknownRound, TooLateToCancel.
        """
        self._must_be_open()
        asked = tuple(sorted(rounds)) if rounds is not None else self._wanted
        if unknown := [each for each in asked if each not in self._wanted]:
            raise UnknownRound(self.number, unknown)
        if all(each in self.kitchen for each in asked):
            raise TooLateToCancel(self.number)
        cancellation = Cancellation(rounds=asked, reason=reason, actor=actor, requested_at=at)
        order = self._next(status=OrderStatus.CANCELLING, cancellation=cancellation)
        return CancellationRequested(order=order, at=at, actor=actor)

    def settle(self, *, at: datetime) -> "Settled | None":
        """End a cancellation as the kitchen decided; None while there is none, or it has not.

        Who asked for it, and why, is who ends the order, and why: the kitchen is but asked.
        """
        asked = self.cancellation
        if asked is None or not all(each in self.kitchen for each in asked.rounds):
            return None
        voided = tuple(each for each in asked.rounds if self.kitchen[each] is Heard.VOIDED)
        refused = tuple(each for each in asked.rounds if each not in voided)
        rounds = tuple(
            replace(each, voided=each.voided or each.round in voided) for each in self.rounds
        )
        order = self._next(rounds=rounds, status=OrderStatus.OPEN, cancellation=None)
        why: dict[str, Any] = {"at": at, "actor": asked.actor, "reason": asked.reason}
        if refused:
            return CancellationRefused(order=order, refused=refused, voided=voided, **why)
        if order._wanted:
            return ItemsCancelled(order=order, rounds=voided, **why)
        return OrderCancelled(order=replace(order, status=OrderStatus.CANCELLED), **why)

    def hear(self, number: int, heard: Heard) -> "Order":
        """Take note of what the kitchen says of a round; hearing it again, or late, is nothing."""
        if self.kitchen.get(number) in (heard, Heard.SERVED, Heard.VOIDED):
            return self
        return replace(self, kitchen={**self.kitchen, number: heard})

    @property
    def closes_by_itself(self) -> bool:
        """Whether nothing is left to do: an open takeaway order, all of it handed over."""
        return (
            self.status is OrderStatus.OPEN
            and isinstance(self.party, Takeaway)
            and not self.in_the_kitchen
        )

    @property
    def _wanted(self) -> tuple[int, ...]:
        """The rounds that are not voided."""
        return tuple(each.round for each in self.rounds if not each.voided)

    def _must_be_open(self) -> None:
        if self.status is not OrderStatus.OPEN:
            raise OrderNotOpen(self.number, self.status)

    def _next(self, **changes: Any) -> "Order":
        return replace(self, version=self.version + 1, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """A guest ordered."""

    order: Order
    at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsAdded:
    """A further round was ordered."""

    order: Order
    at: datetime
    actor: str | None
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRequested:
    """Somebody wants the rounds in `order.cancellation` cancelled."""

    order: Order
    at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRefused:
    """The kitchen had begun `refused`: the order is open again, without what is `voided`."""

    order: Order
    at: datetime
    actor: str | None
    refused: tuple[int, ...]
    voided: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsCancelled:
    """The kitchen makes nothing of `rounds`: the order is open again with the others."""

    order: Order
    at: datetime
    actor: str | None
    rounds: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """The kitchen makes nothing of the order; it is over."""

    order: Order
    at: datetime
    actor: str | None
    reason: str


Settled = CancellationRefused | ItemsCancelled | OrderCancelled
"""How a cancellation ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClosed:
    """Everything was served and the order is over."""

    order: Order
    at: datetime
    actor: str | None


def place(
    *,
    order_id: UUID,
    restaurant: Restaurant,
    sequence: int,
    party: Party,
    lines: tuple[Line, ...],
    at: datetime,
    actor: str | None,
) -> OrderPlaced:
    """Place an order, the `sequence`-th of the restaurant's business day. Raises OrderTooLarge."""
    rounds = (Round(round=1, lines=lines, ordered_at=at),)
    _check_size(rounds)
    order = Order(
        order_id=order_id,
        restaurant=restaurant.restaurant,
        number=order_number(sequence),
        business_day=restaurant.business_day(at),
        party=party,
        currency=restaurant.currency,
        rounds=rounds,
        placed_at=at,
        version=1,
    )
    return OrderPlaced(order=order, at=at, actor=actor)


def order_number(sequence: int) -> str:
    """What people call the day's `sequence`-th order: A-001 … A-999, B-001 … Z-999, AA-001 …"""
    block, within = divmod(sequence - 1, NUMBERS_A_LETTER)
    letters = ""
    block += 1
    while block:
        block, letter = divmod(block - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}-{within + 1:03}"


def _check_size(rounds: tuple[Round, ...]) -> None:
    if sum(len(each.lines) for each in rounds) > MOST_LINES:
        raise OrderTooLarge(MOST_LINES)
