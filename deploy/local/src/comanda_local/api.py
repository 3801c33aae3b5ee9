"""The three services over HTTP, as a restaurant's own programs would use them.

What is safe to repeat is repeated a few times when the connection fails: reading, and moves of a
ticket, where a refusal shows that it was already done. Orders are never sent twice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx
from comanda_contracts import MenuItem, Order, Ticket, TicketStatus

Json = dict[str, Any]
Move = Literal["start", "ready", "serve"]

ATTEMPTS_MAX = 4
RETRY_PAUSE_S = 0.25
"""Pause before the first retry; it doubles with each further one."""
CONNECTIONS_MAX = 64
PAGE_ORDERS = 500
"""Orders on one page of a list."""
REQUEST_TIMEOUT_S = 30.0
"""How long a request may take."""

PROGRESS = (
    TicketStatus.QUEUED,
    TicketStatus.PREPARING,
    TicketStatus.READY,
    TicketStatus.SERVED,
)
STATUS_AFTER: dict[Move, TicketStatus] = {
    "start": TicketStatus.PREPARING,
    "ready": TicketStatus.READY,
    "serve": TicketStatus.SERVED,
}


class RefusedRequest(Exception):
    """A service refused the request; the text is its reason."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.problem = _problem(answer)
        self.code = str(self.problem.get("code", ""))
        detail = self.problem.get("detail") or answer.text[:200] or answer.reason_phrase
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {self.status} {detail}"
        )


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base URLs of the services."""

    ordering: str
    serving: str
    query: str


class Api:
    """The services at some addresses.

    Every method raises RefusedRequest or httpx.TransportError.
    """

    def __init__(self, client: httpx.AsyncClient, addresses: Addresses) -> None:
        self._client = client
        self._to = addresses

    async def set_restaurant(self, restaurant: str, **fields: Any) -> None:
        await self._idempotent(
            "PUT", f"{self._to.ordering}/v1/restaurants/{restaurant}", json=fields
        )

    async def has_restaurant(self, restaurant: str) -> bool:
        """Whether ordering has it."""
        try:
            await self._idempotent("GET", f"{self._to.ordering}/v1/restaurants/{restaurant}/menu")
        except RefusedRequest as refusal:
            if refusal.status == httpx.codes.NOT_FOUND:
                return False
            raise
        return True

    async def restaurant_name(self, restaurant: str) -> str | None:
        """Its name in query; None if query does not know it."""
        page: Json = {"next": None}
        while True:
            parameters = {"cursor": page["next"]} if page["next"] else {}
            url = f"{self._to.query}/v1/restaurants"
            page = (await self._idempotent("GET", url, params=parameters)).json()
            for each in page["restaurants"]:
                if each["restaurant"] == restaurant:
                    return str(each["name"])
            if not page["next"]:
                return None

    async def set_item(self, restaurant: str, sku: str, **fields: Any) -> None:
        url = f"{self._to.ordering}/v1/restaurants/{restaurant}/menu/{sku}"
        await self._idempotent("PUT", url, json=fields)

    async def menu(self, restaurant: str) -> list[MenuItem]:
        """The items of the restaurant's menu in ordering; none if there is no such restaurant."""
        try:
            answer = await self._idempotent(
                "GET", f"{self._to.ordering}/v1/restaurants/{restaurant}/menu"
            )
        except RefusedRequest as refusal:
            if refusal.status == httpx.codes.NOT_FOUND:
                return []
            raise
        return [MenuItem.model_validate(item) for item in answer.json()["items"]]

    async def place(self, restaurant: str, order: Mapping[str, Any]) -> Order:
        return await self._order(f"{restaurant}/orders", order)

    async def add_round(self, order: Order, lines: Sequence[Json]) -> Order:
        return await self._order(
            f"{order.restaurant}/orders/{order.order_id}/rounds", {"lines": list(lines)}
        )

    async def close(self, order: Order) -> Order:
        return await self._order(f"{order.restaurant}/orders/{order.order_id}/close")

    async def cancel(self, order: Order, *, reason: str, rounds: Sequence[int] = ()) -> Order:
        """Ask for the order to be cancelled, or some rounds of it; the kitchen decides."""
        body = {"reason": reason} | ({"rounds": list(rounds)} if rounds else {})
        return await self._order(f"{order.restaurant}/orders/{order.order_id}/cancel", body)

    async def withdraw_item(self, restaurant: str, sku: str, *, reason: str) -> None:
        url = f"{self._to.ordering}/v1/restaurants/{restaurant}/menu/{sku}"
        await self._idempotent("DELETE", url, params={"reason": reason})

    async def withdraw_access(self, restaurant: str, subject: str) -> None:
        """Let nobody in any more by the tokens that the subject has in this restaurant."""
        at = f"{restaurant}/access/{quote(subject, safe='')}/withdraw"
        await self._idempotent("POST", f"{self._to.ordering}/v1/restaurants/{at}")

    async def close_day(self, restaurant: str) -> None:
        """End what is open of the running business day, and of those before it."""
        url = f"{self._to.ordering}/v1/restaurants/{restaurant}/day/close"
        await self._idempotent("POST", url)

    async def queue(self, restaurant: str) -> list[Ticket]:
        answer = await self._idempotent(
            "GET", f"{self._to.serving}/v1/restaurants/{restaurant}/queue"
        )
        return [Ticket.model_validate(ticket) for ticket in answer.json()["tickets"]]

    async def move(self, ticket: Ticket, move: Move) -> None:
        """Move a ticket on; a move that was already made, by whichever request, is a success."""
        at = f"{ticket.restaurant}/orders/{ticket.order_id}/rounds/{ticket.round}"
        try:
            await self._idempotent("POST", f"{self._to.serving}/v1/restaurants/{at}/{move}")
        except RefusedRequest as refusal:
            if not _is_past(refusal.problem, STATUS_AFTER[move]):
                raise

    async def recall(self, ticket: Ticket) -> None:
        """Take a ticket that is ready back from the pass; it is never sent twice."""
        at = f"{ticket.restaurant}/orders/{ticket.order_id}/rounds/{ticket.round}/recall"
        answer = await self._client.post(f"{self._to.serving}/v1/restaurants/{at}")
        if answer.is_error:
            raise RefusedRequest(answer)

    async def order_view(
        self, restaurant: str, order_id: object, *, min_version: int | None = None
    ) -> Json | None:
        """Query's view of an order, of `min_version` or a later one; None if it has none.

        Raises RefusedRequest with status 503 if query does not have that version in time.
        """
        try:
            answer = await self._idempotent(
                "GET",
                f"{self._to.query}/v1/restaurants/{restaurant}/orders/{order_id}",
                params={} if min_version is None else {"min_version": min_version},
            )
        except RefusedRequest as refusal:
            if refusal.status == httpx.codes.NOT_FOUND:
                return None
            raise
        view: Json = answer.json()
        return view

    async def order_views(self, restaurant: str) -> AsyncIterator[Json]:
        """Every order that query lists, the newest first; none of a restaurant it does not know."""
        url = f"{self._to.query}/v1/restaurants/{restaurant}/orders"
        parameters: dict[str, str | int] = {"limit": PAGE_ORDERS}
        while parameters:
            try:
                page: Json = (await self._idempotent("GET", url, params=parameters)).json()
            except RefusedRequest as refusal:
                if refusal.code == "unknown-restaurant":
                    return
                raise
            for view in page["orders"]:
                yield view
            parameters = page["next"] and parameters | {"cursor": page["next"]}

    async def board(self, restaurant: str) -> Json:
        """The board of the restaurant."""
        answer = await self._idempotent(
            "GET", f"{self._to.query}/v1/restaurants/{restaurant}/board"
        )
        board: Json = answer.json()
        return board

    async def _order(self, path: str, body: Mapping[str, Any] | None = None) -> Order:
        url = f"{self._to.ordering}/v1/restaurants/{path}"
        answer = await self._client.post(url, json=body)
        if answer.is_error:
            raise RefusedRequest(answer)
        return Order.model_validate_json(answer.content)

    async def _idempotent(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Send an idempotent request, again if the connection fails."""
        for attempt in range(ATTEMPTS_MAX):
            try:
                answer = await self._client.request(method, url, **request)
            except httpx.TransportError:
                if attempt == ATTEMPTS_MAX - 1:
                    raise
                await asyncio.sleep(RETRY_PAUSE_S * 2**attempt)
                continue
            if answer.is_error:
                raise RefusedRequest(answer)
            return answer
        raise AssertionError("unreachable")


@contextlib.asynccontextmanager
async def connected(addresses: Addresses, auth: httpx.Auth) -> AsyncIterator[Api]:
    """The services at these addresses, over connections that are kept open; `auth` adds a token.

    A pool for each service: what a request costs grows with the connections of its pool.
    """
    limits = httpx.Limits(
        max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX
    )
    pools = {url: httpx.AsyncHTTPTransport(limits=limits) for url in set(astuple(addresses))}
    async with httpx.AsyncClient(
        auth=auth, mounts=pools, timeout=REQUEST_TIMEOUT_S, trust_env=False
    ) as client:
        yield Api(client, addresses)


def _problem(answer: httpx.Response) -> Json:
    with contextlib.suppress(ValueError):
        problem = answer.json()
        if isinstance(problem, dict):
            return problem
    return {}


def _is_past(problem: Json, status: TicketStatus) -> bool:
    """Whether the ticket that the refusal shows has, or once had, this status."""
    shown = problem.get("ticket", {}).get("status")
    return shown in PROGRESS[PROGRESS.index(status) :]
