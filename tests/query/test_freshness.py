"""Each request knows of the oldest answer that it used, also of those that many share."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fastapi import FastAPI
from query.api.http.age import AgeOfViews
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import Body, body_of
from query.storage.batch_loader import BatchLoader
from query.views.freshness import Freshness, begin_noting, note_as_of
from starlette.types import Message

OLD, OLDER = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 23, 11, tzinfo=UTC)


def test_the_oldest_answer_counts() -> None:
    used = begin_noting()

    for as_of in (None, OLD, OLDER, OLD):
        note_as_of(as_of)

    assert used.as_of == OLDER


async def test_who_shares_a_question_that_another_member_answered_knows_it_and_no_one_later() -> (
    None
):
    answers: list[datetime | None] = [OLD, None]

    async def fetch(keys: Sequence[str]) -> Mapping[str, str]:
        note_as_of(answers.pop(0))
        return dict.fromkeys(keys, "found")

    loader: BatchLoader[str, str] = BatchLoader(fetch)

    async def ask() -> Freshness:
        used = begin_noting()
        assert await loader.load("key") == "found"
        return used

    together = await asyncio.gather(ask(), ask())
    later = await asyncio.create_task(ask())

    assert [each.as_of for each in together] == [OLD, OLD]
    assert later.as_of is None


async def test_whoever_is_given_a_kept_answer_knows_how_old_it_was() -> None:
    async def make(_: str) -> Body:
        note_as_of(OLD)
        return body_of({})

    cache = ResponseCache("test", make, is_notified=lambda: True)

    async def ask() -> Freshness:
        used = begin_noting()
        await cache.get("key")
        return used

    async def ask_at_once() -> Freshness:
        used = begin_noting()
        assert cache.get_nowait("key")
        return used

    asked = [await asyncio.create_task(each) for each in (ask(), ask(), ask_at_once())]

    assert [each.as_of for each in asked] == [OLD, OLD, OLD]


async def test_an_answer_says_its_age_by_who_has_given_it() -> None:
    framework = FastAPI()

    @framework.get("/v1/{answered_by}")
    async def answer(answered_by: str) -> None:
        note_as_of(OLD if answered_by == "secondary" else None)

    ages = [await age(AgeOfViews(framework), f"/v1/{each}") for each in ("secondary", "primary")]

    assert ages[0] is not None
    assert int(ages[0]) > 0
    assert ages[1] is None


async def age(app: AgeOfViews, path: str) -> str | None:
    found: list[str | None] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            found.append(headers[b"age"].decode() if b"age" in headers else None)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return found[0]
