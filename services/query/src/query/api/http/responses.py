"""HTTP responses: JSON with an ETag, and the refusals."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import orjson
import structlog
from comanda_contracts.envelope import rfc3339
from fastapi import Response
from prometheus_client import Counter
from service_kit.http.problems import ProblemError

from query.views.merge import MALFORMED, Document
from query.views.orders.guest_view import redacted
from query.views.orders.presentation import present_listed_order, present_order, present_timeline
from query.views.ports import DamagedView, StoreUnavailable, TooSlow

log = structlog.get_logger()

RETRY_AFTER = {"Retry-After": "1"}
"""In seconds: the view has usually caught up by then."""

DAMAGED = Counter(
    "comanda_query_damaged_views", "Orders that could not be shown: their documents are damaged"
)

Result = TypeVar("Result")

ASK_AGAIN, NOT_KEPT = "no-cache", "no-store"
"""What a cache may do: ask every time whether it is still so; with guests' data, keep nothing."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response: its JSON, and a tag that no other JSON has."""

    json: bytes
    tag: str
    is_current: bool = True
    """Whether it is no older than what was answered before."""
    as_of: datetime | None = None
    """As in `Freshness`, of a body that several are answered with."""


def body_of(content: Any, *, is_current: bool = True) -> Body:
    """The content as JSON with its tag."""
    return body_of_json(as_json(content), is_current=is_current)


def body_of_json(json: bytes, *, is_current: bool = True) -> Body:
    """The JSON with its tag."""
    return Body(json, hashlib.blake2b(json, digest_size=12).hexdigest(), is_current)


def as_json(content: Any) -> bytes:
    """The content as JSON, its times as in events: UTC, `Z`, six digits of a second."""
    return orjson.dumps(content, option=orjson.OPT_PASSTHROUGH_DATETIME, default=_written)


def _written(value: Any) -> str:
    """What orjson leaves to us; MongoDB's times have no zone. Raises TypeError."""
    match value:
        case datetime(tzinfo=None):
            return f"{value.isoformat(timespec='microseconds')}Z"
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case _:
            raise TypeError(type(value).__name__)


def order_as_json(document: Document) -> bytes:
    """The order view as JSON, for its route and its live feeds. Raises DamagedView."""
    return _shown(document, present_order)


def order_for_guest_as_json(document: Document) -> bytes:
    """The order as its guest sees it, as JSON. Raises DamagedView."""
    return _shown(document, lambda each: redacted(present_order(each)))


def order_json_for_guest(order: bytes) -> bytes:
    """The JSON of an order as its guest sees it: the same as of its document."""
    return as_json(redacted(orjson.loads(order)))


def timeline_as_json(document: Document) -> bytes:
    """What happened to the order, as JSON. Raises DamagedView."""
    return _shown(
        document,
        lambda each: {"order_id": each["_id"], "entries": present_timeline(each)},
    )


def listed_order_as_json(document: Document) -> bytes:
    """The order as JSON, for lists. Raises DamagedView."""
    return _shown(document, present_listed_order)


def _shown(document: Document, present: Callable[[Document], Any]) -> bytes:
    try:
        return as_json(present(document))
    except MALFORMED as error:
        count_damaged([document["_id"]], reason=f"{type(error).__name__}: {error}"[:200])
        raise DamagedView(document["_id"]) from error


def are_presentable(present: Callable[[], Any]) -> bool:
    """Whether what this makes can be made, and written as JSON."""
    try:
        as_json(present())
    except MALFORMED:
        return False
    return True


def count_damaged(order_ids: Sequence[str], reason: str) -> None:
    """Report orders that can't be shown, as a metric and in the log."""
    for each in order_ids:
        DAMAGED.inc()
        log.warning("order can't be shown", order_id=each, reason=reason)


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A response with the content as JSON."""
    return Response(as_json(content), media_type="application/json", headers=dict(headers or {}))


def order_response(
    document: Document,
    if_none_match: str | None,
    render: Callable[[Document], bytes] = order_as_json,
) -> Response:
    """The order with an ETag; 304 without a body if the client has it already.

    Raises ProblemError (503) if it can't be shown.
    """
    try:
        json = render(document)
    except DamagedView as error:
        raise damaged_view(error.order_id) from error
    return tagged_response(body_of_json(json), if_none_match, caching=NOT_KEPT)


def as_of_response(content: Mapping[str, Any], if_none_match: str | None) -> Response:
    """The content with a weak ETag of all but its `as_of`; 304 if the client has the rest already.

    How fresh it is changes with each answer, and nothing else of it as long as nothing is sold.
    """
    lasting = {name: each for name, each in content.items() if name != "as_of"}
    body = Body(as_json(content), body_of(lasting).tag)
    return tagged_response(body, if_none_match, is_weak=True)


def tagged_response(
    body: Body, if_none_match: str | None, *, caching: str = ASK_AGAIN, is_weak: bool = False
) -> Response:
    """The body with its ETag; 304 without a body if the client has it already."""
    tag = f'"{body.tag}"'
    headers = {"ETag": f"W/{tag}" if is_weak else tag, "Cache-Control": caching}
    if if_none_match and _names(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(body.json, media_type="application/json", headers=headers)


def _names(if_none_match: str, tag: str) -> bool:
    """Whether the header has the tag, by weak comparison (RFC 9110, section 13.1.2)."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in tags or tags == ["*"]


def unknown_restaurant(restaurant: str) -> ProblemError:
    """There is no such restaurant, or no news of it came yet."""
    return ProblemError(404, "unknown-restaurant", f"There is no restaurant {restaurant!r}.")


def forbidden_restaurant(restaurant: str) -> ProblemError:
    """The token grants nothing that is needed there."""
    detail = f"The token grants no role in restaurant {restaurant!r} that may do this."
    return ProblemError(403, "forbidden", detail, field="restaurant")


def unknown_order(restaurant: str, name: str) -> ProblemError:
    """The restaurant has no such order, or no news of it came yet."""
    detail = f"Restaurant {restaurant!r} has no order {name}."
    return ProblemError(404, "unknown-order", detail)


def behind(version: int, min_version: int) -> ProblemError:
    """The view has not caught up with what the client knows."""
    return ProblemError(
        503,
        "behind",
        f"The order is at version {version} here, {min_version} was asked for. Try again.",
        headers=RETRY_AFTER,
        version=version,
        min_version=min_version,
    )


def all_behind(missing: Sequence[Mapping[str, Any]]) -> ProblemError:
    """The views of these orders have not caught up; each has `order_id`, `version` and `wanted`."""
    words = "{order_id} is at version {version} here, {wanted} was asked for"
    detail = "; ".join(words.format_map(each) for each in missing)
    return ProblemError(503, "behind", f"{detail}. Try again.", headers=RETRY_AFTER, behind=missing)


def store_unavailable() -> ProblemError:
    """The views can't be read at the moment."""
    detail = "The views can't be read at the moment. Try again."
    return ProblemError(503, "store-unavailable", detail, headers=RETRY_AFTER)


def damaged_view(order_id: str) -> ProblemError:
    """The order can't be shown until its view is repaired."""
    detail = f"The view of order {order_id} is damaged. It will be shown once it is repaired."
    return ProblemError(503, "damaged-view", detail, headers=RETRY_AFTER)


def too_slow() -> ProblemError:
    """The question takes the store too long."""
    detail = "This takes too long to find. Ask for less, such as a shorter time, or try again."
    return ProblemError(503, "too-slow", detail, headers=RETRY_AFTER)


async def from_store(answer: Awaitable[Result]) -> Result:
    """The store's answer. Raises ProblemError (503) if it has none now."""
    try:
        return await answer
    except DamagedView as error:
        raise damaged_view(error.order_id) from error
    except TooSlow as error:
        raise too_slow() from error
    except StoreUnavailable as error:
        raise store_unavailable() from error
