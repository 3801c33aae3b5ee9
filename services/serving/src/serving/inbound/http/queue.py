"""A restaurant's queue over HTTP: as it is, and as a live feed for the kitchen's screen."""

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal, assert_never

import comanda_contracts as contracts
from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import PlainValidator
from service_kit.http.feed_budget import FeedBudget
from service_kit.http.live_feed import once_possible
from service_kit.http.sse import Event, EventStream, event, event_of_pieces

from serving.application.tickets import StoreUnavailable
from serving.inbound.http.openapi import (
    QUEUE_FEED_REFUSALS,
    QUEUE_FEED_RESPONSES,
    QUEUE_REFUSALS,
    RESTAURANT,
    SEQUENCE,
)
from serving.inbound.http.problems import refusals_as_problems
from serving.inbound.http.queue_view import QueueView
from serving.queue_updates import QueueSnapshot, QueueUpdate, TicketChange

SEQUENCE_MAX = 2**63 - 1
SEQUENCE_TEXT = re.compile(r"[0-9]{1,19}")

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, examples=[RESTAURANT])]


OpenStatus = Literal["queued", "preparing", "ready"]
StatusFilter = Annotated[
    list[OpenStatus],
    Query(
        alias="status",
        description="only tickets with this status; repeat it for more than one",
        examples=[["queued", "preparing"]],
    ),
]


def _sequence(position: Any) -> int | None:
    """The sequence; None for what is no position of this feed, such as another service's."""
    if isinstance(position, str) and SEQUENCE_TEXT.fullmatch(position):
        sequence = int(position)
        return sequence if sequence <= SEQUENCE_MAX else None
    return None


LastEventId = Annotated[
    Annotated[int | None, PlainValidator(_sequence, json_schema_input_type=str)],
    Header(
        alias="Last-Event-ID",
        description="the `id` of the last event that was received",
        examples=[str(SEQUENCE)],
    ),
]

ReadQueue = Callable[[str], list[contracts.Ticket]]
"""Returns a restaurant's tickets that are not settled. Raises StoreUnavailable."""

OpenFeed = Callable[[str, int | None], AbstractContextManager[AsyncIterator[QueueUpdate | None]]]
"""Opens the feed of a restaurant's queue, after a sequence if one is given.

None among the updates is a heartbeat. Raises StoreUnavailable and FeedsClosed.
"""


def queue_routes(read_queue: ReadQueue, open_feed: OpenFeed) -> APIRouter:
    """The routes of the queue, below a restaurant."""
    router = APIRouter(tags=["Queue"])
    feeds = FeedBudget()

    async def feed(
        restaurant: Slug, last_event_id: LastEventId = None
    ) -> AsyncIterator[AsyncGenerator[QueueUpdate | None]]:
        """A feed that is open until the response ends, silent while there is no queue to show."""

        async def begin() -> AsyncGenerator[QueueUpdate | None]:
            with open_feed(restaurant, last_event_id) as updates:
                async for each in updates:
                    yield each
                    del each  # it may be long until the next

        with feeds.place(restaurant):
            updates: AsyncGenerator[QueueUpdate | None] = once_possible(begin, _is_away)
            async with contextlib.aclosing(updates):
                yield updates

    @router.get(
        "/queue", operation_id="getQueue", response_model=QueueView, responses=QUEUE_REFUSALS
    )
    async def get_queue(restaurant: Slug, statuses: StatusFilter = []) -> Response:  # noqa: B006 - FastAPI copies it
        """The tickets that are not served, voided or abandoned.

        Serving knows tickets and no restaurants: of one that does not exist the queue is empty.
        """
        with refusals_as_problems():
            tickets = read_queue(restaurant)
        shown = [each for each in tickets if not statuses or each.status in statuses]
        return Response(_json(shown), media_type="application/json")

    @router.get(
        "/queue/live",
        operation_id="followQueue",
        response_class=StreamingResponse,
        responses=QUEUE_FEED_RESPONSES | QUEUE_FEED_REFUSALS,
    )
    async def get_live_queue(
        updates: Annotated[AsyncGenerator[QueueUpdate | None], Depends(feed)],
    ) -> Response:
        """The queue as it is (`snapshot`), then each ticket that changes (`ticket`).

        An event's `id` is where in the stream of tickets it stands. A client that comes back with
        it as `Last-Event-ID` is sent what it missed, or a `snapshot` if that is too much.
        """
        return EventStream(_events(updates))

    return router


def _is_away(error: Exception) -> bool:
    return isinstance(error, StoreUnavailable)


async def _events(updates: AsyncIterator[QueueUpdate | None]) -> AsyncGenerator[Event | None]:
    async for each in updates:
        yield _sse_event(each)
        del each  # it may be long until the next


def _sse_event(update: QueueUpdate | None) -> Event | None:
    match update:
        case QueueSnapshot(sequence, tickets):
            return event("snapshot", _json(tickets), str(sequence))
        case TicketChange(sequence):
            return event_of_pieces("ticket", [update.json], str(sequence))
        case None:
            return None
        case _:
            assert_never(update)


def _json(tickets: Sequence[contracts.Ticket]) -> str:
    return QueueView.model_construct(tickets=list(tickets)).model_dump_json()
