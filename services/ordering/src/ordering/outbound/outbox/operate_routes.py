"""What waits to be published, and what can't be, over HTTP for operators."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from comanda_contracts.envelope import Instant
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from service_kit.http.openapi import Examples
from service_kit.http.problems import (
    ProblemError,
    invalid_request,
    malformed_json,
    problem_responses,
    unsupported_media_type,
)
from service_kit.operate.letters import OPERATE_PREFIX, OPERATOR, TAG
from service_kit.operate.schema import CHOSEN_MAX, HIGHEST, ByNumber, ByReason, Paging, Selection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.database.errors import failure_of
from ordering.outbound.outbox.outbox import count_unpublished
from ordering.outbound.outbox.parked_events import (
    count_parked,
    parked_event,
    release,
    select_parked,
)

OldestAge = Callable[[AsyncConnection], Awaitable[float]]
"""Seconds that the oldest unpublished event has waited; 0 if none waits."""

EventNumber = Annotated[int, Path(ge=1, le=HIGHEST, examples=[42])]


class OutboxStatus(BaseModel):
    """Events that are committed and not published."""

    waiting: int = Field(description="those that are to be published")
    oldest_s: float = Field(description="seconds that the oldest has waited; 0 if none waits")
    parked: int = Field(description="those that can't be published, with those behind them")


class ParkedEvent(BaseModel):
    """An event that can't be published, or is behind one of its order that can't."""

    number: int = Field(examples=[42])
    since: Instant
    subject: str = Field(examples=["orders.v1.la-piazza.01968f6e.placed"])
    reason: str


class ParkedEventDetails(ParkedEvent):
    """A parked event as a whole."""

    headers: dict[str, str]
    body: str = Field(description="as text, with what is none replaced")


class ParkedEvents(BaseModel):
    """A page of the parked events, by their numbers."""

    events: list[ParkedEvent]
    next: int | None = Field(description="`after` of the next page; null on the last")


class ReleasedEvents(BaseModel):
    """Those that were put back to be published, each with all that was parked of its order."""

    released: list[int]
    next: int | None = Field(description="`after` of the next request; null if there is no more")


_PARKED: dict[str, Any] = {
    "number": 42,
    "since": "2026-05-04T19:30:00.000000Z",
    "subject": "orders.v1.la-piazza.01968f6e-3c00-7000-8000-000000000001.placed",
    "reason": "too large",
}
_EVENT = {"headers": {"ce-type": "comanda.order.placed.v1"}, "body": '{"order": {}}'}
OUTBOX_EXAMPLES: Examples = {
    OutboxStatus: {"NATS is away": {"waiting": 812, "oldest_s": 41.5, "parked": 0}},
    ParkedEvents: {"the last page": {"events": [_PARKED], "next": None}},
    ParkedEventDetails: {"a parked event": _PARKED | _EVENT},
    ReleasedEvents: {"released": {"released": [42, 43], "next": None}},
}


def outbox_unavailable() -> ProblemError:
    """The database can't be reached."""
    detail = "The outbox can't be reached now."
    return ProblemError(503, "store-unavailable", detail, headers={"Retry-After": "1"})


def unknown_event(number: int) -> ProblemError:
    """No event of this number is parked."""
    return ProblemError(404, "unknown-event", f"There is no parked event {number}.")


_INVALID = {"loc": ("query", "limit"), "type": "less_than_equal", "msg": "Input is too large"}
_READ = (invalid_request([_INVALID], None), outbox_unavailable())
_CHANGE = (*_READ, malformed_json(), unsupported_media_type())


def outbox_routes(engine: AsyncEngine, oldest_s: OldestAge) -> APIRouter:
    """The routes; they need PostgreSQL and nothing else of what ordering needs."""
    router = APIRouter(prefix=OPERATE_PREFIX, tags=[TAG], dependencies=[OPERATOR])

    @router.get("/outbox", operation_id="getOutbox", responses=problem_responses(*_READ[1:]))
    async def get_outbox() -> OutboxStatus:
        """How many events wait to be published, for how long, and how many can't be."""
        with failures_as_problems():
            async with engine.connect() as connection:
                return OutboxStatus(
                    waiting=await count_unpublished(connection),
                    oldest_s=await oldest_s(connection),
                    parked=await count_parked(connection),
                )

    @router.get(
        "/parked-events", operation_id="listParkedEvents", responses=problem_responses(*_READ)
    )
    async def list_parked_events(paging: Annotated[Paging, Query()]) -> ParkedEvents:
        """The events that can't be published, and those of their orders behind them."""
        with failures_as_problems():
            async with engine.connect() as connection:
                found = await select_parked(connection, after=paging.after, reason=paging.reason)
        page = found[: paging.limit]
        is_last = len(found) <= paging.limit
        return ParkedEvents(
            events=[ParkedEvent.model_validate(_shown(each)) for each in page],
            next=None if is_last else page[-1].id,
        )

    @router.get(
        "/parked-events/{event}",
        operation_id="getParkedEvent",
        responses=problem_responses(*_READ, unknown_event(42)),
    )
    async def get_parked_event(event: EventNumber) -> ParkedEventDetails:
        """One of them, with its headers and body."""
        with failures_as_problems():
            async with engine.connect() as connection:
                found = await parked_event(connection, event)
        if found is None:
            raise unknown_event(event)
        body = found.body.decode(errors="replace")
        return ParkedEventDetails(**_shown(found), headers=found.headers, body=body)

    @router.post(
        "/parked-events/release",
        operation_id="releaseParkedEvents",
        responses=problem_responses(*_CHANGE),
    )
    async def release_parked_events(selection: Selection) -> ReleasedEvents:
        """Have them published, each with all that is parked of its order.

        What still can't be published is parked again.
        """
        with failures_as_problems():
            async with engine.connect() as connection:
                chosen = [each async for each in _chosen(connection, selection)]
                meant, has_more = chosen[:CHOSEN_MAX], len(chosen) > CHOSEN_MAX
                await connection.commit()
                released = await release(connection, {each.aggregate for each in meant})
                await connection.commit()
        return ReleasedEvents(released=released, next=meant[-1].id if has_more else None)

    return router


@contextmanager
def failures_as_problems() -> Iterator[None]:
    """Answer 503 where PostgreSQL can't do it now."""
    try:
        yield
    except (DBAPIError, OSError, TimeoutError) as error:
        if not failure_of(error).is_passing:
            raise
        raise outbox_unavailable() from error


async def _chosen(connection: AsyncConnection, selection: Selection) -> AsyncIterator[Any]:
    """Those that are meant: one more than a request may be about, if there are so many."""
    if isinstance(selection, ByNumber):
        for number in sorted({each for each in selection.numbers if each > selection.after}):
            if found := await parked_event(connection, number):
                yield found
        return
    reason = selection.reason if isinstance(selection, ByReason) else ""
    page = await select_parked(connection, after=selection.after, reason=reason)
    for each in page[: CHOSEN_MAX + 1]:
        yield each


def _shown(each: Any) -> dict[str, Any]:
    return {
        "number": each.id,
        "since": each.parked_at,
        "subject": each.subject,
        "reason": each.reason,
    }
