"""Use cases with their commands, ready to be run by a store."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from uuid import UUID

from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_day import (
    CloseDay,
    FinishDayClosing,
    close_day,
    finish_day_closing,
)
from ordering.application.close_handed_over import CloseHandedOver, close_handed_over
from ordering.application.close_order import CloseOrder, close_order
from ordering.application.end_order import EndOrder, end_order
from ordering.application.place_order import PlaceOrder, place_order
from ordering.application.restate import RestateOrder, restate_order
from ordering.application.set_availability import SetAvailability, set_availability
from ordering.application.set_menu_item import SetMenuItem, set_menu_item
from ordering.application.set_restaurant import SetRestaurant, set_restaurant
from ordering.application.take_verdict import TakeVerdict, take_verdict
from ordering.application.transaction import Decision, Transaction
from ordering.application.withdraw_access import WithdrawAccess, withdraw_access
from ordering.application.withdraw_menu_item import WithdrawMenuItem, withdraw_menu_item
from ordering.domain.access import Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.menu import MenuItem
from ordering.domain.order import KitchenVerdict, Order, TicketState
from ordering.domain.refusals import UnknownOrder
from ordering.domain.restaurant import Restaurant
from ordering.outbound.transaction.group_commit import GroupCommit

from tests.ordering.builders import NOON, a_place_order, a_requested_line, a_restaurant, an_item
from tests.ordering.fakes import InMemoryStore

Store = GroupCommit | InMemoryStore

NO_GRACE = timedelta()
"""Nothing that was served is taken back."""


def setting(
    wanted: Restaurant, at: datetime = NOON
) -> Callable[[Transaction], Awaitable[Restaurant]]:
    return lambda tx: set_restaurant(SetRestaurant(wanted=wanted), transaction=tx, at=at)


def offering(
    wanted: MenuItem, version: int | None = None
) -> Callable[[Transaction], Awaitable[MenuItem]]:
    command = SetMenuItem(wanted=wanted, expected_version=version)
    return lambda tx: set_menu_item(command, transaction=tx, at=NOON)


def withdrawing(sku: str) -> Callable[[Transaction], Awaitable[MenuItem]]:
    command = WithdrawMenuItem(restaurant="la-piazza", sku=sku)
    return lambda tx: withdraw_menu_item(command, transaction=tx, at=NOON)


def withdrawing_access(
    subject_hash: str,
    restaurant: str = "la-piazza",
    at: datetime = NOON,
    version: int | None = None,
) -> Callable[[Transaction], Awaitable[Withdrawal]]:
    command = WithdrawAccess(
        restaurant=restaurant, subject_hash=subject_hash, expected_version=version
    )
    return lambda tx: withdraw_access(command, transaction=tx, at=at)


def closing_day(
    business_day: date | None = None,
    at: datetime = NOON,
    reason: str | None = None,
    restaurant: str = "la-piazza",
) -> Callable[[Transaction], Awaitable[DayClosing]]:
    command = CloseDay(restaurant=restaurant, business_day=business_day, reason=reason)
    return lambda tx: close_day(command, transaction=tx, at=at)


def finishing_day(
    version: int, at: datetime = NOON
) -> Callable[[Transaction], Awaitable[DayClosing]]:
    command = FinishDayClosing(restaurant="la-piazza", version=version)
    return lambda tx: finish_day_closing(command, transaction=tx, at=at)


def ending(order_id: UUID, at: datetime = NOON) -> Callable[[Transaction], Awaitable[Order]]:
    command = EndOrder(order_id=order_id, restaurant="la-piazza", reason="end of the day")
    return lambda tx: end_order(command, transaction=tx, at=at)


def running_out_of(
    sku: str, reason: str | None = None
) -> Callable[[Transaction], Awaitable[MenuItem]]:
    command = SetAvailability(restaurant="la-piazza", sku=sku, available=False, reason=reason)
    return lambda tx: set_availability(command, transaction=tx, at=NOON)


def placing(
    command: PlaceOrder | None = None, at: datetime = NOON
) -> Callable[[Transaction], Awaitable[Order]]:
    wanted = command or a_place_order()
    return lambda tx: place_order(wanted, transaction=tx, at=at)


def adding(order_id: UUID, version: int | None = None) -> Callable[[Transaction], Awaitable[Order]]:
    command = AddItems(
        order_id=order_id,
        restaurant="la-piazza",
        requested_lines=(a_requested_line(),),
        expected_version=version,
    )
    return lambda tx: add_items(command, transaction=tx, at=NOON)


def taking_verdict(
    order_id: UUID,
    round_number: int,
    verdict: KitchenVerdict = KitchenVerdict.SERVED,
    ticket: TicketState | None = None,
    recall_grace: timedelta = NO_GRACE,
) -> Callable[[Transaction], Awaitable[Order]]:
    command = TakeVerdict(
        order_id=order_id,
        restaurant="la-piazza",
        round=round_number,
        verdict=verdict,
        ticket=ticket,
    )
    return lambda tx: take_verdict(command, transaction=tx, at=NOON, recall_grace=recall_grace)


def closing_handed_over(
    order_id: UUID, at: datetime, recall_grace: timedelta
) -> Callable[[Transaction], Awaitable[Order]]:
    command = CloseHandedOver(order_id=order_id, restaurant="la-piazza")
    return lambda tx: close_handed_over(command, transaction=tx, at=at, recall_grace=recall_grace)


def finding(order_id: UUID) -> Callable[[Transaction], Awaitable[Order | None]]:
    """The order as it is now, locked until the transaction ends; None if there is none."""

    def decide(order: Order | None) -> Decision[Order]:
        if order is None:
            raise UnknownOrder(order_id)
        return Decision(order)

    async def find(transaction: Transaction) -> Order | None:
        with contextlib.suppress(UnknownOrder):
            return await transaction.order_to_change(order_id).change(decide)
        return None

    return find


def cancelling(order_id: UUID, *rounds: int) -> Callable[[Transaction], Awaitable[Order]]:
    command = CancelOrder(
        order_id=order_id,
        restaurant="la-piazza",
        reason="the guests left",
        rounds=frozenset(rounds) or None,
    )
    return lambda tx: cancel_order(command, transaction=tx, at=NOON)


def closing(order_id: UUID) -> Callable[[Transaction], Awaitable[Order]]:
    command = CloseOrder(order_id=order_id, restaurant="la-piazza")
    return lambda tx: close_order(command, transaction=tx, at=NOON)


def restating(order_id: UUID) -> Callable[[Transaction], Awaitable[Order]]:
    command = RestateOrder(restaurant="la-piazza", order_id=order_id)
    return lambda tx: restate_order(command, transaction=tx, at=NOON)


async def open_la_piazza(store: Store) -> None:
    """A restaurant with two items on its menu."""
    await store.run(setting(a_restaurant()))
    await store.run(offering(an_item("margherita")))
    await store.run(offering(an_item("cola", category="Drinks", price=350)))
