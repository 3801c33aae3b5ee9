"""A restaurant as its tills, its cooks and its guests' phones see it: over HTTP alone."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from comanda_local.stack import Stack

from tests.support.tokens import bearer

Json = dict[str, Any]

PATIENCE = 60.0
"""Seconds within which everything that is under way must have arrived."""
AT_ONCE = 16


class Refused(Exception):
    """A service said no, with this problem."""

    def __init__(self, problem: Json) -> None:
        super().__init__(problem["detail"])
        self.code: str = problem["code"]


class Restaurant:
    """One restaurant of a running stack, new and with a small menu."""

    def __init__(self, stack: Stack, slug: str | None = None) -> None:
        self.slug = slug or f"r-{uuid.uuid4().hex[:12]}"
        self._stack = stack
        self._headers = bearer(issuer=stack.issuer)
        self._http = httpx.Client(timeout=60, trust_env=False, headers=self._headers)
        self.put("", {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"})
        for sku, category, price in (("margherita", "Pizza", 850), ("cola", "Drinks", 350)):
            item = {"name": sku.title(), "category": category, "price": price}
            self.put(f"/menu/{sku}", item)

    def url(self, service: str, path: str) -> str:
        return f"{self._stack.services[service].url}/v1/restaurants/{self.slug}{path}"

    def put(self, path: str, body: Json) -> Json:
        return self._ask("PUT", "ordering", path, json=body)

    def place(self, order: Json, **request: Any) -> Json:
        return self._ask("POST", "ordering", "/orders", json=order, **request)

    def dine_in(self, table: str = "12", quantity: int = 1) -> Json:
        return self.place(
            {"channel": "dine_in", "table": table, "guests": 2, "lines": lines(quantity)}
        )

    def takeaway(self, customer: str = "Ada") -> Json:
        return self.place({"channel": "takeaway", "customer": customer, "lines": lines()})

    def add_round(self, order: Json) -> Json:
        path = f"/orders/{order['order_id']}/rounds"
        return self._ask("POST", "ordering", path, json={"lines": lines()})

    def cancel(self, order: Json, *rounds: int) -> Json:
        body = {"reason": "the guests left"} | ({"rounds": list(rounds)} if rounds else {})
        return self._ask("POST", "ordering", f"/orders/{order['order_id']}/cancel", json=body)

    def close(self, order: Json) -> Json:
        return self._ask("POST", "ordering", f"/orders/{order['order_id']}/close")

    def forget(self, order: Json) -> Json:
        return self._ask("POST", "ordering", f"/orders/{order['order_id']}/forget")

    def queue(self) -> list[Json]:
        tickets: list[Json] = self._ask("GET", "serving", "/queue")["tickets"]
        return tickets

    def cook(self, order: Json, round_number: int, *moves: str) -> Json:
        """Move a ticket on, once the kitchen has heard of it."""
        path = f"/orders/{order['order_id']}/rounds/{round_number}"
        self.until(lambda: self._status("serving", path) == 200)
        ticket: Json = {}
        for move in moves or ("start", "ready", "serve"):
            ticket = self._ask("POST", "serving", f"{path}/{move}")
        return ticket

    def keyed_move(self, order: Json, round_number: int, move: str) -> Json:
        """Move a ticket on, by a request that has a key."""
        path = f"/orders/{order['order_id']}/rounds/{round_number}/{move}"
        return self._ask("POST", "serving", path, headers={"Idempotency-Key": uuid.uuid4().hex})

    def view(self, order: Json) -> Json:
        """What query shows, once it has the order's version or a later one."""
        path = f"/orders/{order['order_id']}?min_version={order['version']}"
        self.until(lambda: self._status("query", path) == 200)
        return self._ask("GET", "query", path)

    def shows(self, order: Json, status: str) -> Json:
        """What query shows once the order has this status."""
        self.until(lambda: self.view(order)["status"] == status)
        return self.view(order)

    def read(self, path: str) -> Json:
        return self._ask("GET", "query", path)

    def until(self, condition: Callable[[], object], within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "it did not come in time"
            time.sleep(0.02)

    async def place_many(self, count: int) -> list[Json]:
        """Takeaway orders of two rounds each, some at once."""
        places = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(timeout=60, trust_env=False, headers=self._headers) as http:

            async def place() -> Json:
                async with places:
                    body = {"channel": "takeaway", "customer": "Ada", "lines": lines()}
                    answer = await http.post(self.url("ordering", "/orders"), json=body)
                    order: Json = answer.raise_for_status().json()
                    path = self.url("ordering", f"/orders/{order['order_id']}/rounds")
                    answer = await http.post(path, json={"lines": lines()})
                    added: Json = answer.raise_for_status().json()
                    return added

            return await asyncio.gather(*(place() for _ in range(count)))

    def _status(self, service: str, path: str) -> int:
        return self._http.get(self.url(service, path)).status_code

    def _ask(self, method: str, service: str, path: str, **request: Any) -> Json:
        answer = self._http.request(method, self.url(service, path), **request)
        found: Json = answer.json()
        if answer.is_error:
            raise Refused(found)
        return found


def lines(quantity: int = 1) -> list[Json]:
    return [{"sku": "margherita", "quantity": quantity}, {"sku": "cola", "quantity": 1}]
