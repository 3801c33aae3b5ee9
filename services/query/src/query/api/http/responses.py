"""HTTP responses: JSON with an ETag, and the refusals."""

import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from fastapi import Response
from service_kit.http.problems import ProblemError

from query.views.merge import Document
from query.views.orders.presentation import present_listed_order, present_order
from query.views.ports import StoreUnavailable, TooSlow

RETRY_AFTER = {"Retry-After": "1"}
"""In seconds: the view has usually caught up by then."""

Result = TypeVar("Result")

JSON_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response: its JSON, and a tag that no other JSON has."""

    json: bytes
    tag: str


def body_of(content: Any) -> Body:
    """The content as JSON with its tag."""
    return body_of_json(as_json(content))


def body_of_json(json: bytes) -> Body:
    """The JSON with its tag."""
    return Body(json, hashlib.blake2b(json, digest_size=12).hexdigest())


def as_json(content: Any) -> bytes:
    """The content as JSON; times are written in UTC with a Z."""
    return orjson.dumps(content, option=JSON_OPTIONS)


def order_as_json(document: Document) -> bytes:
    """The order view as JSON, for its route and its live feeds."""
    return as_json(present_order(document))


def listed_order_as_json(document: Document) -> bytes:
    """The order as JSON, for lists."""
    return as_json(present_listed_order(document))


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A response with the content as JSON."""
    return Response(as_json(content), media_type="application/json", headers=dict(headers or {}))


def tagged_json_response(content: Any, if_none_match: str | None) -> Response:
    """The content as JSON with an ETag; 304 without a body if the client has it already."""
    return tagged_response(body_of(content), if_none_match)


def tagged_response(body: Body, if_none_match: str | None) -> Response:
    """The body with its ETag; 304 without a body if the client has it already."""
    tag = f'"{body.tag}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
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


def too_slow() -> ProblemError:
    """The question takes the store too long."""
    detail = "This takes too long to find. Ask for less, such as a shorter time, or try again."
    return ProblemError(503, "too-slow", detail, headers=RETRY_AFTER)


async def from_store(answer: Awaitable[Result]) -> Result:
    """The store's answer. Raises ProblemError (503) if the store is unavailable."""
    try:
        return await answer
    except TooSlow as error:
        raise too_slow() from error
    except StoreUnavailable as error:
        raise store_unavailable() from error
