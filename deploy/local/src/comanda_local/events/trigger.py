"""Every event once, on a restaurant of its own: what a subscriber is tried with."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from comanda_contracts import Order, Ticket

from comanda_local.api import Api, Json, RefusedRequest
from comanda_local.teams import NotGranted

RESTAURANT = "events-trial"
NAME = "Events, tried"
"""What the name of a restaurant begins with that is for nothing else."""
NOBODY = "nobody@events-trial"
"""Whose access is withdrawn."""

ARRIVAL_TIMEOUT_S = 60.0
"""Seconds for what one service has done to reach the next."""
RETRY_INTERVAL_S = 0.1

Say = Callable[[str], None]
Found = TypeVar("Found")


class Trial:
    """The services' HTTP interfaces, driven as tills, cooks and a manager drive them.

    Everything raises RefusedRequest or httpx.TransportError. It may be repeated on a restaurant;
    on one that is for something else it does nothing, and raises NotGranted.
    """

    def __init__(self, api: Api, restaurant: str, say: Say) -> None:
        self._api = api
        self._restaurant = restaurant
        self._say = say
        self._sku = f"margherita-{secrets.token_hex(4)}"  # one that is withdrawn is not used again
        self._lines: list[Json] = [{"sku": self._sku, "quantity": 1}]

    async def run(self) -> None:
        """Have every event happen, and leave no order open."""
        await self._require_our_own()
        await self._open()
        await self._serve_and_close()
        await self._refuse_a_cancellation()
        await self._cancel()
        await self._close_the_day()
        await self._withdraw()

    async def _require_our_own(self) -> None:
        slug = self._restaurant
        if slug == RESTAURANT or not await self._api.has_restaurant(slug):
            return
        name = await self._api.restaurant_name(slug)
        if not (name or "").startswith(NAME):
            raise NotGranted(
                f"{slug} is there already, as {name!r}: name a restaurant that is for nothing else"
            )

    async def _open(self) -> None:
        opened = datetime.now(UTC).isoformat(timespec="seconds")
        await self._api.set_restaurant(
            self._restaurant,
            name=f"{NAME} {opened}",
            currency="EUR",
            time_zone="Europe/Rome",
        )
        self._say(f"opened the restaurant {self._restaurant}: restaurant.set")
        item = {"name": "Margherita", "category": "Pizza", "price": 850}
        await self._api.set_item(self._restaurant, self._sku, **item)
        self._say("set an item of its menu: menu.item-set")

    async def _serve_and_close(self) -> None:
        order = await self._place("ordered for table 7: order.placed, ticket.queued")
        ticket = await self._ticket(order, 1)
        await self._api.move(ticket, "start")
        await self._api.move(ticket, "ready")
        self._say("cooked it: ticket.started, ticket.ready")
        await self._api.recall(ticket)
        self._say("took it back from the pass: ticket.recalled")
        order = await self._api.add_round(order, self._lines)
        self._say("ordered once more: order.items-added, ticket.queued")
        await self._ticket(order, 2)
        await self._api.cancel(order, reason="ordered twice", rounds=[2])
        self._say(
            "cancelled that round: order.cancellation-requested, ticket.voided, "
            "order.items-cancelled"
        )
        await self._finish(order, ticket)
        self._say("served it and closed the order: ticket.ready, ticket.served, order.closed")

    async def _refuse_a_cancellation(self) -> None:
        order = await self._place("ordered again")
        ticket = await self._ticket(order, 1)
        await self._api.move(ticket, "start")
        await self._api.cancel(order, reason="the guests left")
        self._say(
            "cancelled what was being cooked: order.cancellation-requested, ticket.void-refused, "
            "order.cancellation-refused"
        )
        await self._finish(order, ticket)

    async def _cancel(self) -> None:
        order = await self._place("ordered again")
        await self._ticket(order, 1)
        await self._api.cancel(order, reason="the guests left")
        self._say(
            "cancelled what was not begun: order.cancellation-requested, ticket.voided, "
            "order.cancelled"
        )

    async def _close_the_day(self) -> None:
        order = await self._place("ordered again")
        ticket = await self._ticket(order, 1)
        await self._api.move(ticket, "start")
        await self._api.close_day(self._restaurant)
        self._say("closed the day on what was being cooked: ticket.abandoned, order.closed")

        async def closed() -> bool | None:
            view = await self._api.order_view(self._restaurant, order.order_id)
            return True if view and view["status"] == "closed" else None

        await _until(closed, f"{order.number} closed")

    async def _withdraw(self) -> None:
        await self._api.withdraw_item(self._restaurant, self._sku, reason="out of season")
        self._say("took the item off the menu: menu.item-withdrawn")
        await self._api.withdraw_access(self._restaurant, NOBODY)
        self._say(f"withdrew the access of {NOBODY}: access.withdrawn")

    async def _place(self, what: str) -> Order:
        order = await self._api.place(
            self._restaurant,
            {"channel": "dine_in", "table": "7", "guests": 2, "lines": self._lines},
        )
        self._say(f"{what} ({order.number}, {order.order_id})")
        return order

    async def _ticket(self, order: Order, round_number: int) -> Ticket:
        """The round's ticket, once the kitchen has it."""

        async def find() -> Ticket | None:
            for ticket in await self._api.queue(self._restaurant):
                if (ticket.order_id, ticket.round) == (order.order_id, round_number):
                    return ticket
            return None

        return await _until(find, f"round {round_number} of {order.number} in the kitchen")

    async def _finish(self, order: Order, ticket: Ticket) -> None:
        """Serve the ticket, and close the order once its cancellation is settled."""
        await self._api.move(ticket, "ready")
        await self._api.move(ticket, "serve")

        async def close() -> Order | None:
            try:
                return await self._api.close(order)
            except RefusedRequest as refusal:
                if refusal.code in ("still-in-the-kitchen", "order-not-open"):
                    return None
                raise

        await _until(close, f"{order.number} ready to be closed")


async def _until(find: Callable[[], Awaitable[Found | None]], what: str) -> Found:
    """What is found, once it is. Raises TimeoutError."""
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while (found := await find()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {ARRIVAL_TIMEOUT_S:.0f} s: {what}")
        await asyncio.sleep(RETRY_INTERVAL_S)
    return found
