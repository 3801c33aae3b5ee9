"""A restaurant's queue over HTTP: as it is, and live for the kitchen's screen."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Literal

import comanda_contracts as contracts
from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from service_kit.http.sse import EventStream, event

from serving.inbound.http.openapi import LIVE, RESTAURANT, SEQUENCE
from serving.inbound.http.problems import refusals_as_problems
from serving.published import Changed, News, QueueView, Snapshot

LAST_SEQUENCE = 2**63 - 1

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, examples=[RESTAURANT])]


Status = Literal["queued", "preparing", "ready"]
Statuses = Annotated[
    list[Status],
    Query(
        alias="status",
        description="only tickets with this status; repeat it for more than one",
        examples=[["queued", "preparing"]],
    ),
]
LastEventId = Annotated[
    Annotated[int, Field(ge=0, le=LAST_SEQUENCE)] | None,
    Header(
        alias="Last-Event-ID",
        description="the `id` of the last event that was received",
        examples=[SEQUENCE],
    ),
]

Queue = Callable[[str], list[contracts.Ticket]]
"""The tickets of a restaurant that are neither served nor voided. Raises StoreUnavailable."""

Live = Callable[[str, int | None], AbstractContextManager[AsyncIterator[News | None]]]
"""The news of a restaurant's queue, after a sequence if one is given; None while nothing happens.

Raises StoreUnavailable.
"""


def queue_routes(queue: Queue, live: Live) -> APIRouter:
    """The routes of the queue, below a restaurant."""
    router = APIRouter()

    async def news_of(
        restaurant: Slug, last_event_id: LastEventId = None
    ) -> AsyncIterator[AsyncIterator[News | None]]:
        """The news for as long as they are read: a refusal comes before the answer begins."""
        with contextlib.ExitStack() as reading:
            with refusals_as_problems():
                news = reading.enter_context(live(restaurant, last_event_id))
            yield news

    @router.get("/queue", response_model=QueueView)
    async def get_queue(restaurant: Slug, statuses: Statuses = []) -> Response:  # noqa: B006 - FastAPI copies it
        """The tickets that are neither served nor voided."""
        with refusals_as_problems():
            tickets = queue(restaurant)
        wanted = [each for each in tickets if not statuses or each.status in statuses]
        return Response(_json(wanted), media_type="application/json")

    @router.get("/queue/live", response_class=StreamingResponse, responses=LIVE)
    async def get_live_queue(
        news: Annotated[AsyncIterator[News | None], Depends(news_of)],
    ) -> Response:
        """The queue as it is (`snapshot`), then each ticket that changes (`ticket`).

        An event's `id` is where in the stream of tickets it stands. A client that comes back with
        it as `Last-Event-ID` is sent what it missed, or a `snapshot` if that is too much.
        """
        return EventStream(_event(each) async for each in news)

    return router


def _event(news: News | None) -> bytes | None:
    match news:
        case Snapshot(sequence, tickets):
            return event("snapshot", _json(tickets), str(sequence))
        case Changed(sequence, ticket):
            return event("ticket", ticket.model_dump_json(), str(sequence))
        case None:
            return None


def _json(tickets: Sequence[contracts.Ticket]) -> str:
    return QueueView.model_construct(tickets=list(tickets)).model_dump_json()
