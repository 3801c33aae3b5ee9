"""Answers are compressed for those who ask, with tags of their own, and feeds never are."""

import gzip
import json
import threading
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Header, Response
from service_kit.http.header_values import versions_in
from service_kit.http.server import application
from service_kit.http.sse import EventStream

LARGE = json.dumps({"orders": [{"number": n, "status": "placed"} for n in range(100)]}).encode()
HUGE = json.dumps(["x" * 1000] * 300).encode()


def service() -> FastAPI:
    app = application("service", "", [])

    @app.get("/v1/large")
    async def large(if_none_match: str = Header("")) -> Response:
        headers = {"ETag": '"1"', "Cache-Control": "no-cache"}
        if '"1"' in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(LARGE, media_type="application/json", headers=headers)

    @app.get("/v1/huge")
    async def huge() -> Response:
        return Response(HUGE, media_type="application/json", headers={"ETag": 'W/"1"'})

    @app.get("/v1/shared")
    async def shared(fill: str, bytes_min: int, tag: str = '"1"') -> Response:
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        return Response(fill * bytes_min, media_type="application/json", headers=headers)

    @app.get("/v1/small")
    async def small() -> Response:
        return Response(b"{}", media_type="application/json", headers={"ETag": '"1"'})

    @app.put("/v1/large")
    async def put(if_match: str = Header("")) -> Response:
        content = json.dumps({"allowed": versions_in(if_match), "pad": "x" * 2000})
        return Response(content, media_type="application/json", headers={"ETag": '"1"'})

    @app.get("/v1/live")
    async def live(last_event_id: str = Header("")) -> EventStream:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: " + last_event_id.encode() + b"x" * 5000 + b"\n\n"

        return EventStream(events())  # type: ignore[arg-type]

    return app


async def got(
    path: str, accepts: str | None = "gzip, deflate, br", method: str = "GET", **headers: str
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if accepts is not None:
        sent["Accept-Encoding"] = accepts
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service()), base_url="http://localhost"
    ) as client:
        del client.headers["Accept-Encoding"]
        return await client.request(method, path, headers=sent)


@pytest.mark.parametrize(
    "accepts",
    [
        "gzip",
        "gzip, deflate, br, zstd",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "deflate,gzip",
        "GZip; Q=0.5",
    ],
)
async def test_who_asks_for_it_is_sent_less(accepts: str) -> None:
    found = await got("/v1/large", accepts)

    assert found.content == LARGE
    assert found.headers["content-encoding"] == "gzip"
    assert int(found.headers["content-length"]) < len(LARGE) / 4
    assert found.headers["etag"] == '"1+gzip"'
    assert found.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("codings", [["gzip", "br"], ["br", "gzip"], ["br", "x, gzip;q=0.5"]])
async def test_codings_may_come_in_several_lines(codings: list[str]) -> None:
    lines = [("Accept-Encoding", each) for each in codings]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service()), base_url="http://localhost"
    ) as client:
        del client.headers["Accept-Encoding"]
        found = await client.get("/v1/large", headers=lines)

    assert found.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("accepts", [None, "", "br", "gzip;q=0", "gzip;q=0.0, br", "xgzip"])
async def test_who_does_not_ask_is_sent_it_plain(accepts: str | None) -> None:
    found = await got("/v1/large", accepts)

    assert found.content == LARGE
    assert "content-encoding" not in found.headers
    assert found.headers["content-length"] == str(len(LARGE))
    assert (found.headers["etag"], found.headers["vary"]) == ('"1"', "Accept-Encoding")


async def test_what_is_short_is_sent_plain() -> None:
    found = await got("/v1/small")

    assert "content-encoding" not in found.headers
    assert (found.headers["etag"], found.headers["vary"]) == ('"1"', "Accept-Encoding")


async def test_a_weak_tag_stays_what_it_is() -> None:
    found = await got("/v1/huge")

    assert (found.content, found.headers["etag"]) == (HUGE, 'W/"1"')
    assert found.headers["content-encoding"] == "gzip"


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each compression."""
    found: list[threading.Thread] = []
    compress = zlib.compress

    def noted(*args: Any, **options: Any) -> bytes:
        found.append(threading.current_thread())
        return compress(*args, **options)

    monkeypatch.setattr(zlib, "compress", noted)
    return found


async def test_a_shared_answer_is_compressed_once(threads: list[threading.Thread]) -> None:
    for _ in range(2):
        found = await got("/v1/shared?fill=a&bytes_min=2000")
        assert found.headers["content-encoding"] == "gzip"

    assert threads == [threading.current_thread()]


async def test_a_shared_answer_with_a_weak_tag_is_not_kept(
    threads: list[threading.Thread],
) -> None:
    for _ in range(2):
        await got("/v1/shared?fill=b&bytes_min=2000&tag=W/%221%22")

    assert len(threads) == 2


async def test_a_long_answer_holds_up_nobody_and_is_not_kept(
    threads: list[threading.Thread],
) -> None:
    for _ in range(2):
        found = await got("/v1/shared?fill=c&bytes_min=200000")
        assert found.headers["content-encoding"] == "gzip"

    assert len(threads) == 2
    assert threading.current_thread() not in threads


async def test_head_says_what_get_would_send() -> None:
    head, plain_head = await got("/v1/large", method="HEAD"), await got("/v1/large", None, "HEAD")
    full = await got("/v1/large")

    for name in ("content-length", "content-encoding", "etag", "vary"):
        assert head.headers[name] == full.headers[name]
    assert plain_head.headers["content-length"] == str(len(LARGE))


@pytest.mark.parametrize(
    ("tags", "answered"),
    [
        ('"1+gzip"', '"1+gzip"'),
        ('W/"1+gzip"', '"1+gzip"'),
        ('"1"', '"1"'),
        ('"0+gzip", "1"', '"1"'),
        ('"1", "0+gzip"', '"1"'),
    ],
)
async def test_who_has_it_compressed_has_it(tags: str, answered: str) -> None:
    found = await got("/v1/large", If_None_Match=tags)

    assert (found.status_code, found.content) == (304, b"")
    assert (found.headers["etag"], found.headers["vary"]) == (answered, "Accept-Encoding")


async def test_a_change_may_name_the_tag_of_a_compressed_answer() -> None:
    found = await got("/v1/large", method="PUT", If_Match='"7+gzip"')

    assert found.json()["allowed"] == 7
    assert "content-encoding" not in found.headers


async def test_a_feed_is_never_compressed() -> None:
    found = await got("/v1/live", Last_Event_ID="abc+gzip")

    assert "content-encoding" not in found.headers
    assert "data: abcx" in found.text


async def test_what_is_compressed_already_is_left_alone() -> None:
    app = service()

    @app.get("/v1/asset")
    async def asset() -> Response:
        headers = {"Content-Encoding": "gzip"}
        return Response(gzip.compress(HUGE * 3), media_type="application/json", headers=headers)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        assert (await client.get("/v1/asset")).content == HUGE * 3
