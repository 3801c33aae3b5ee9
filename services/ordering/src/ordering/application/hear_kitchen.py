"""Hear from the kitchen what became of a round."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.loading import known
from ordering.application.transaction import Transaction
from ordering.domain.order import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class KitchenNews:
    """A round was served, voided, or could not be voided since it was begun."""

    order_id: UUID
    restaurant: str
    round: int
    heard: Heard


async def hear_kitchen(news: KitchenNews, *, transaction: Transaction, at: datetime) -> None:
    """Take note of it; settle a cancellation that waited for it, and close what is over by it.

    Safe to repeat, and to hear late or in any order. Raises UnknownOrder.
    """
    asked = transaction.order_to_change(news.order_id)
    before = await known(asked, news.restaurant, news.order_id)
    order = before.hear(news.round, news.heard)
    if order == before:
        return
    transaction.note(order)
    if settled := order.settle(at=at):
        transaction.record(settled)
        order = settled.order
    if order.closes_by_itself:
        transaction.record(order.close(at=at, actor=None))
