"""An order: its rounds of lines, and what may still happen to it.

Every decision returns an event that carries the whole order after it; nothing is changed in place.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from ordering.domain.events import DomainEvent, Sender
from ordering.domain.refusals import (
    OrderNotOpen,
    OrderNotOver,
    OrderTooLarge,
    StillInTheKitchen,
    TooLateToCancel,
    UnknownRound,
)
from ordering.domain.restaurant import Restaurant

MAX_LINES = 500
"""Lines an order may have, so that an event fits into one message of the broker."""

ORDERS_PER_LETTER = 999
"""Orders of a business day whose numbers begin with the same letter."""


RECALL_GRACE = timedelta(minutes=15)
"""How long after it was served the kitchen may take a round back, unless an operator says else."""

RECALL_MARGIN = timedelta(seconds=10)
"""For clocks that differ, and for the word of a recall at the last moment to come."""


END_AGAIN_AFTER = timedelta(minutes=10)
"""How long after the kitchen was asked to end what it has begun it is asked again."""


# decision/0005: what ordering hears from the kitchen makes no version
class KitchenVerdict(StrEnum):
    """The kitchen's latest word on a round; a round without a verdict is still queued, or new.

    A round that was started can't be voided any more, and one that was voided is never started. One
    that was served may be recalled: then it is started again. One that was abandoned was started,
    and nobody served it until its day was closed.
    """

    STARTED = "begun"  # the value is in stored rows
    SERVED = "served"
    VOIDED = "voided"
    ABANDONED = "abandoned"


SETTLED = frozenset({KitchenVerdict.SERVED, KitchenVerdict.VOIDED, KitchenVerdict.ABANDONED})
"""Verdicts after which the kitchen has nothing more to do with a round."""


@dataclass(frozen=True, slots=True)
class TicketState:
    """What a verdict is as of: the ticket's version, by which later ones are told from earlier."""

    version: int
    served_at: datetime | None = None
    """When it was last served, though it may have been recalled since."""


class OrderStatus(StrEnum):
    """The state of the order itself; the kitchen's progress is serving's to tell."""

    OPEN = "open"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A quantity of one menu item, at its name and price (minor units) when it was ordered."""

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
        """The price of the round in minor units; 0 if it is voided."""
        return 0 if self.voided else sum(line.unit_price * line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DineIn:
    """Guests at a table."""

    table: str
    guests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeaway:
    """A customer who comes to fetch it; of one who is forgotten there is no name."""

    customer: str | None
    phone: str | None = None


Party = DineIn | Takeaway
"""The guests that the order is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A request to cancel rounds, for as long as one of them has no verdict of the kitchen.

    One that `closes` the order, as its business day is closed, lasts until each of them is settled.
    """

    rounds: tuple[int, ...]
    reason: str
    actor: str | None = None
    by: Sender | None = None
    requested_at: datetime
    closes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The whole order.

    `version` counts its events. `verdicts` are those of the kitchen, by round, and `tickets` what
    each is as of: knowledge of ordering's own that no event carries, so another verdict makes no
    new version. A verdict that the release before noted has no ticket.
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
    verdicts: Mapping[int, KitchenVerdict] = field(default_factory=dict)
    tickets: Mapping[int, TicketState] = field(default_factory=dict)
    forgotten_at: datetime | None = None
    """When the guest was forgotten: since then nothing here names him."""

    @property
    def total(self) -> int:
        """The price of the order in minor units of its currency."""
        return sum(each.total for each in self.rounds)

    @property
    def in_the_kitchen(self) -> tuple[int, ...]:
        """The rounds that are still to be served."""
        over = (KitchenVerdict.SERVED, KitchenVerdict.ABANDONED)
        return tuple(each for each in self._standing if self.verdicts.get(each) not in over)

    def add_items(
        self, lines: tuple[Line, ...], *, at: datetime, actor: str | None, by: Sender | None = None
    ) -> "ItemsAdded":
        """Order a further round. Raises OrderNotOpen, OrderTooLarge."""
        self._must_be_open()
        new = Round(round=len(self.rounds) + 1, lines=lines, ordered_at=at)
        rounds = (*self.rounds, new)
        _check_size(rounds)
        order = self._next(rounds=rounds)
        return ItemsAdded(order=order, at=at, actor=actor, by=by, round=new.round)

    def close(self, *, at: datetime, actor: str | None, by: Sender | None = None) -> "OrderClosed":
        """End the order. Raises OrderNotOpen, StillInTheKitchen."""
        self._must_be_open()
        if self.in_the_kitchen:
            raise StillInTheKitchen(self.number, self.in_the_kitchen)
        order = self._next(status=OrderStatus.CLOSED)
        return OrderClosed(order=order, at=at, actor=actor, by=by)

    def cancel(
        self,
        rounds: Collection[int] | None,
        *,
        reason: str,
        at: datetime,
        actor: str | None,
        by: Sender | None = None,
    ) -> "CancellationRequested":
        """Ask for some rounds, or for all, to be cancelled; the kitchen has the last word.

        While it owes an answer to a request of the same rounds, that request is made again as it
        was, in case it was lost. Raises OrderNotOpen, UnknownRound, TooLateToCancel.
        """
        requested = tuple(sorted(rounds)) if rounds is not None else self._standing
        if self.cancellation is not None and self.cancellation.rounds == requested:
            return CancellationRequested(order=self._next(), at=at, actor=actor, by=by)
        self._must_be_open()
        if unknown := [each for each in requested if each not in self._standing]:
            raise UnknownRound(self.number, unknown)
        if all(each in self.verdicts for each in requested):
            raise TooLateToCancel(self.number)
        cancellation = Cancellation(
            rounds=requested, reason=reason, actor=actor, by=by, requested_at=at
        )
        order = self._next(status=OrderStatus.CANCELLING, cancellation=cancellation)
        return CancellationRequested(order=order, at=at, actor=actor, by=by)

    # decision/0076: a business day is closed by a command
    def end(
        self, *, reason: str, at: datetime, actor: str | None, by: Sender | None = None
    ) -> "OrderClosed | CancellationRequested | None":
        """End the order with its business day; None if that is on its way, or it is over.

        What is still in the kitchen has to be settled first: the kitchen is asked to void or to
        abandon it; again after a while, if it was heard since to have begun it anew.
        """
        if self.status is OrderStatus.CANCELLING:
            return self._ask_again(at)
        if self.status is not OrderStatus.OPEN or self.closes_by_itself:
            return None
        who: dict[str, Any] = {"at": at, "actor": actor, "by": by}
        if not self.in_the_kitchen:
            order = self._next(status=OrderStatus.CLOSED)
            return OrderClosed(order=order, reason=reason, **who)
        cancellation = Cancellation(
            rounds=self.in_the_kitchen,
            reason=reason,
            actor=actor,
            by=by,
            requested_at=at,
            closes=True,
        )
        order = self._next(status=OrderStatus.CANCELLING, cancellation=cancellation)
        return CancellationRequested(order=order, **who)

    def _ask_again(self, at: datetime) -> "CancellationRequested | None":
        """Ask again to end what has been begun anew since, as by a recall."""
        request = self.cancellation
        if request is None or not request.closes or at < request.requested_at + END_AGAIN_AFTER:
            return None
        if KitchenVerdict.STARTED not in (self.verdicts.get(each) for each in request.rounds):
            return None
        order = self._next(cancellation=replace(request, requested_at=at))
        return CancellationRequested(order=order, at=at, actor=request.actor, by=request.by)

    def take_verdict(
        self, number: int, verdict: KitchenVerdict | None, ticket: TicketState | None = None
    ) -> "Order":
        """Note the kitchen's verdict on a round; one that is repeated, or late, changes nothing.

        Without one the round is queued, whatever was known of it before.
        """
        if not self._is_news(number, verdict, ticket):
            return self
        tickets = self.tickets if ticket is None else {**self.tickets, number: ticket}
        others = {round_: each for round_, each in self.verdicts.items() if round_ != number}
        verdicts = others if verdict is None else {**others, number: verdict}
        return replace(self, verdicts=verdicts, tickets=tickets)

    def _is_news(
        self, number: int, verdict: KitchenVerdict | None, ticket: TicketState | None
    ) -> bool:
        """Whether the verdict is later than the one that is known, by the ticket's version.

        Where a version is not known, a round that was begun may be served, and one that was served
        is begun again only if its ticket says that it was served before. That a round is queued is
        said again only after a restatement, whose version is above all others.
        """
        known, known_ticket = self.verdicts.get(number), self.tickets.get(number)
        if ticket and known_ticket:
            return ticket.version > known_ticket.version
        if verdict is None:
            return ticket is not None
        if known is None or verdict is known:
            return known is None
        if known is KitchenVerdict.SERVED and verdict is KitchenVerdict.STARTED:
            return ticket is not None and ticket.served_at is not None
        return known is KitchenVerdict.STARTED

    def end_cancellation(self, *, at: datetime) -> "CancellationEnded | None":
        """End the cancellation by the kitchen's verdicts; None while one is missing, or no request.

        The event's actor, sender and reason are those of the request: the kitchen only answered it.
        """
        request = self.cancellation
        if request is None:
            return None
        awaited = SETTLED if request.closes else frozenset(KitchenVerdict)
        if not all(self.verdicts.get(each) in awaited for each in request.rounds):
            return None
        voided = tuple(
            each for each in request.rounds if self.verdicts[each] is KitchenVerdict.VOIDED
        )
        refused = tuple(each for each in request.rounds if each not in voided)
        rounds = tuple(
            replace(each, voided=each.voided or each.round in voided) for each in self.rounds
        )
        order = self._next(rounds=rounds, status=OrderStatus.OPEN, cancellation=None)
        why: dict[str, Any] = {
            "at": at,
            "actor": request.actor,
            "by": request.by,
            "reason": request.reason,
        }
        if request.closes and order._standing:
            return OrderClosed(order=replace(order, status=OrderStatus.CLOSED), **why)
        if refused:
            return CancellationRefused(order=order, refused=refused, voided=voided, **why)
        if order._standing:
            return ItemsCancelled(order=order, rounds=voided, **why)
        return OrderCancelled(order=replace(order, status=OrderStatus.CANCELLED), **why)

    # decision/0066: a loss of streams is made good by restatements
    def restate(self, *, at: datetime) -> "OrderRestated":
        """Say again what the order is, and what the kitchen is to have of it; nothing changes."""
        served, abandoned = KitchenVerdict.SERVED, KitchenVerdict.ABANDONED
        is_over = self.status in (OrderStatus.CANCELLED, OrderStatus.CLOSED)
        by_verdict = {each: self.verdicts.get(each) for each in self._standing}
        return OrderRestated(
            order=self._next(),
            at=at,
            actor=None,
            open_rounds=tuple(
                each
                for each, verdict in by_verdict.items()
                if not is_over and verdict not in SETTLED
            ),
            served_rounds=tuple(each for each, verdict in by_verdict.items() if verdict is served),
            abandoned_rounds=tuple(
                each for each, verdict in by_verdict.items() if verdict is abandoned
            ),
        )

    # decision/0077: a guest is forgotten
    def forget(
        self,
        *,
        at: datetime,
        actor: str | None,
        by: Sender | None = None,
        known_version: int = 0,
    ) -> "OrderForgotten":
        """Take out whatever names the guest, or may: name, phone number and notes.

        Done once more it says so again, at a further version. `known_version` is one that others
        may know of the order, though it is not known here. Raises OrderNotOver.
        """
        if self.status not in (OrderStatus.CANCELLED, OrderStatus.CLOSED):
            raise OrderNotOver(self.number, self.status)
        party = Takeaway(customer=None) if isinstance(self.party, Takeaway) else self.party
        order = replace(
            self,
            version=max(self.version, known_version) + 1,
            party=party,
            rounds=_without_notes(self.rounds),
            forgotten_at=at,
        )
        return OrderForgotten(order=order, at=at, actor=actor, by=by)

    @property
    def closes_by_itself(self) -> bool:
        """Whether nothing is left to do: an open takeaway order, all of it handed over."""
        return (
            self.status is OrderStatus.OPEN
            and isinstance(self.party, Takeaway)
            and not self.in_the_kitchen
        )

    @property
    def handed_over_at(self) -> datetime | None:
        """When the last of an order was handed over that closes by itself; None if it does not.

        Where nothing tells when, it is long ago.
        """
        if not self.closes_by_itself:
            return None
        served = (self.tickets.get(each) for each in self._standing)
        times = [each.served_at for each in served if each and each.served_at]
        return max(times, default=self.placed_at)

    def is_past_recall(self, *, at: datetime, grace: timedelta) -> bool:
        """Whether it closes by itself, and the kitchen can take nothing of it back any more."""
        over = self.handed_over_at
        if over is None:
            return False
        return not grace or at >= over + grace + RECALL_MARGIN

    @property
    def _standing(self) -> tuple[int, ...]:
        """The rounds that are not voided."""
        return tuple(each.round for each in self.rounds if not each.voided)

    def _must_be_open(self) -> None:
        if self.status is not OrderStatus.OPEN:
            raise OrderNotOpen(self.number, self.status)

    def _next(self, **changes: Any) -> "Order":
        return replace(self, version=self.version + 1, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent(DomainEvent):
    """Something happened to an order; `order` is the whole of it afterwards."""

    order: Order


class OrderPlaced(OrderEvent):
    """A guest ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsAdded(OrderEvent):
    """A further round was ordered."""

    round: int


class CancellationRequested(OrderEvent):
    """Somebody wants the rounds in `order.cancellation` cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationRefused(OrderEvent):
    """The kitchen had started `refused`: the order is open again, without what is `voided`."""

    refused: tuple[int, ...]
    voided: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsCancelled(OrderEvent):
    """The kitchen makes nothing of `rounds`: the order is open again with the others."""

    rounds: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """The kitchen makes nothing of the order; it is over."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClosed(OrderEvent):
    """The order is over: everything was served, or its day was closed, as `reason` says."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRestated(OrderEvent):
    """The order is as it was, and is said again: the streams lost what was said of it.

    `open_rounds` are still to be made or served, `served_rounds` were, and `abandoned_rounds` were
    made; others are not.
    """

    open_rounds: tuple[int, ...]
    served_rounds: tuple[int, ...]
    abandoned_rounds: tuple[int, ...] = ()


class OrderForgotten(OrderEvent):
    """Nothing in the order names its guest any more; what was said before is to be erased."""


CancellationEnded = CancellationRefused | ItemsCancelled | OrderCancelled | OrderClosed
"""The ways in which a cancellation ends."""


def place(
    *,
    order_id: UUID,
    restaurant: Restaurant,
    sequence: int,
    party: Party,
    lines: tuple[Line, ...],
    at: datetime,
    actor: str | None,
    by: Sender | None = None,
) -> OrderPlaced:
    """Place an order, the `sequence`-th of the restaurant's business day. Raises OrderTooLarge."""
    rounds = (Round(round=1, lines=lines, ordered_at=at),)
    _check_size(rounds)
    order = Order(
        order_id=order_id,
        restaurant=restaurant.slug,
        number=order_number(sequence),
        business_day=restaurant.business_day(at),
        party=party,
        currency=restaurant.currency,
        rounds=rounds,
        placed_at=at,
        version=1,
    )
    return OrderPlaced(order=order, at=at, actor=actor, by=by)


def _without_notes(rounds: tuple[Round, ...]) -> tuple[Round, ...]:
    return tuple(
        replace(each, lines=tuple(replace(line, note=None) for line in each.lines))
        for each in rounds
    )


def order_number(sequence: int) -> str:
    """The number of the day's `sequence`-th order: A-001 … A-999, B-001 … Z-999, AA-001 …"""
    block, within = divmod(sequence - 1, ORDERS_PER_LETTER)
    letters = ""
    block += 1
    while block:
        block, letter = divmod(block - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}-{within + 1:03}"


def _check_size(rounds: tuple[Round, ...]) -> None:
    if sum(len(each.lines) for each in rounds) > MAX_LINES:
        raise OrderTooLarge(MAX_LINES)
