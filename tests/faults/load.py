"""A load as tills and cooks make it: each request has a key and is sent until it is answered."""

import asyncio
import contextlib
import itertools
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from comanda_contracts import Order
from comanda_local.access import Issuer
from comanda_local.services import Service

from tests.faults.wire import Answer, NoAnswer, Wire
from tests.support.tokens import bearer

Json = dict[str, Any]

TILLS = 24
COOKS = 12
PATIENCE = 120.0
"""Seconds that a fault may add to the time of a load."""
LONGEST_ORDER = 0.5
"""Seconds that each order of a load may take on average, on a busy machine."""
LONGEST_ANSWER = 5.0
PAUSE = 0.1
"""Seconds before a request that was not answered is repeated, to another replica if possible."""
NEXT_GUEST_AFTER = 1.0
"""Seconds that a till waits for its next guest, once there are as many orders as were asked for."""
LONGEST_PAUSE = 1.6
"""Seconds to which the pauses of a cook grow while his ticket is not there."""

LINES = [{"sku": "margherita", "quantity": 2}, {"sku": "cola", "quantity": 1}]
ITEMS = {"margherita": ("Pizza", 850), "cola": ("Drinks", 350)}


class Load:
    """So many orders of one new restaurant, or more, each of a guest of its own.

    It is as fast as it is answered until there are so many. Then it goes on, slower, for as long as
    faults are under way, and a while longer.
    """

    def __init__(
        self, wire: Wire, services: Sequence[Service], orders: int, issuer: Issuer
    ) -> None:
        """`services` are replicas of ordering and of serving; requests go to them in turn."""
        self.restaurant = f"r-{uuid.uuid4().hex[:12]}"
        self.answers: defaultdict[str, list[Order]] = defaultdict(list)
        """What each guest's till was told, command by command; the first is the order placed."""
        self.placed = 0
        self.repeated = 0
        """Requests that were sent again, for want of an answer."""
        self.early = 0
        """Those of them that a cook sent before the ticket was there."""
        self.sent: Counter[str] = Counter()
        """Requests to each replica, by its URL."""
        self._orders = orders
        self._enough: int | None = None
        self._wire = wire
        self._services = services
        self._bearer = bearer(issuer=issuer)
        self._turn = itertools.count()
        self._progress = asyncio.Condition()
        self._for_the_kitchen: asyncio.Queue[tuple[Order, int]] = asyncio.Queue()

    async def run(self) -> None:
        """Make the load. Raises TimeoutError if something is not answered in time."""
        bound = PATIENCE + self._orders * LONGEST_ORDER
        async with asyncio.timeout(bound), asyncio.TaskGroup() as working:
            await self._open()
            cooks = [working.create_task(self._cook()) for _ in range(COOKS)]
            numbers = itertools.count()
            async with asyncio.TaskGroup() as tills:
                for _ in range(TILLS):
                    tills.create_task(self._till(numbers))
            await self._for_the_kitchen.join()
            for cook in cooks:
                cook.cancel()

    async def reached(self, share: float) -> None:
        """Wait until this share of the orders is placed."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.placed >= share * self._orders)

    def faults_are_over(self) -> None:
        """Let the load come to its end."""
        self._enough = max(self._orders, self.placed + self._orders // 10)

    async def _open(self) -> None:
        restaurant = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
        await self._ask("PUT", "ordering", "", restaurant)
        for sku, (category, price) in ITEMS.items():
            item = {"name": sku.title(), "category": category, "price": price}
            await self._ask("PUT", "ordering", f"/menu/{sku}", item)

    async def _till(self, numbers: Iterator[int]) -> None:
        while self._enough is None or self.placed < self._enough:
            await self._visit(next(numbers))
            if self.placed >= self._orders:
                await asyncio.sleep(NEXT_GUEST_AFTER)

    async def _visit(self, number: int) -> None:
        """One guest's evening; together they make every mixture of adding, cooking, cancelling."""
        guest = f"guest {number}"
        order = await self._order(guest, "/orders", _party(number, guest) | {"lines": LINES})
        assert order is not None, "a refused order"
        async with self._progress:
            self.placed += 1
            self._progress.notify_all()
        path = f"/orders/{order.order_id}"
        if number % 2:
            order = await self._order(guest, f"{path}/rounds", {"lines": LINES}) or order
        match number % 5:
            case 0:  # the kitchen and the guest at the same time
                self._for_the_kitchen.put_nowait((order, 1))
                await self._order(guest, f"{path}/cancel", {"reason": "they left"})
            case 1:
                await self._order(guest, f"{path}/cancel", {"reason": "they left"})
            case 2:
                body = {"reason": "not so hungry", "rounds": [len(order.rounds)]}
                await self._order(guest, f"{path}/cancel", body)
            case 3:
                for each in order.rounds:
                    self._for_the_kitchen.put_nowait((order, each.round))

    async def _order(self, guest: str, path: str, body: Json) -> Order | None:
        """The order as it is then; None if that is refused, as a cancellation that comes late."""
        answer = await self._ask("POST", "ordering", path, body)
        if answer.is_client_error:
            assert answer.status == HTTPStatus.CONFLICT, answer.content
            return None
        order = Order.model_validate_json(answer.content)
        self.answers[guest].append(order)
        return order

    async def _cook(self) -> None:
        while True:
            order, number = await self._for_the_kitchen.get()
            for move in ("start", "ready", "serve"):
                path = f"/orders/{order.order_id}/rounds/{number}/{move}"
                answer = await self._ask("POST", "serving", path, until_known=True)
                assert answer.is_success or answer.status == HTTPStatus.CONFLICT, answer.content
            self._for_the_kitchen.task_done()

    async def _ask(
        self, method: str, service: str, path: str, body: Json | None = None, **how: bool
    ) -> Answer:
        headers = {**self._bearer, "Idempotency-Key": uuid.uuid4().hex}
        pause = PAUSE
        while True:
            url = f"{self._next(service)}/v1/restaurants/{self.restaurant}{path}"
            with contextlib.suppress(NoAnswer):
                answer = await self._wire.request(method, url, body, headers)
                if _is_answer(answer, **how):
                    return answer
                if not answer.is_server_error:
                    self.early += 1
                    pause = min(2 * pause, LONGEST_PAUSE)
            self.repeated += 1
            await asyncio.sleep(pause)

    def _next(self, service: str) -> str:
        replicas = [each for each in self._services if each.name == service]
        url = replicas[next(self._turn) % len(replicas)].url
        self.sent[url] += 1
        return url


@contextlib.asynccontextmanager
async def under_load(
    services: Sequence[Service],
    orders: int,
    issuer: Issuer,
    *,
    longest_answer: float = LONGEST_ANSWER,
) -> AsyncIterator[Load]:
    """A load that runs meanwhile, goes on afterwards, and is answered in full at the end."""
    async with contextlib.aclosing(Wire(longest_answer)) as wire:
        load = Load(wire, services, orders, issuer)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            yield load
            load.faults_are_over()


def _party(number: int, guest: str) -> Json:
    if number % 3:
        return {"channel": "takeaway", "customer": guest}
    return {"channel": "dine_in", "table": guest, "guests": 2}


def _is_answer(answer: Answer, *, until_known: bool = False) -> bool:
    """Whether it settles the request: no failure, and not that the news are still on their way."""
    waits = until_known and answer.status == HTTPStatus.NOT_FOUND
    return not answer.is_server_error and not waits
