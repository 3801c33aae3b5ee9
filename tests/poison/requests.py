"""The poison corpus over HTTP: what nobody should send, to every route and feed of a service.

The routes are those of the service's own OpenAPI document, so that a new one is among them. Each
request is bytes on a connection of its own. Add to `HEADERS`, `PATHS`, `BODIES` or `CONNECTIONS`
whatever hurt.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.poison.corpus import DEEP, ESCAPES, RESTAURANT, TAKEAWAY

Document = dict[str, Any]

HEAD_END = b"\r\n\r\n"
HOST = b"Host: localhost\r\n"
LATER = b"LATER"
"""Stands for the rest of a request, which is sent once the server has said to go on."""

HEADERS: dict[str, bytes] = {
    "another host": b"Host: evil.example\r\n",
    "no host": b"",
    "two hosts": b"Host: localhost\r\nHost: localhost\r\n",
    "a host of bytes": b"Host: \xff\xfe\r\n",
    "another origin": b"Host: localhost\r\nOrigin: https://evil.example\r\n",
    "no origin": b"Host: localhost\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n",
    "40 KB of headers": b"Host: localhost\r\nX: " + b"x" * 40_000 + b"\r\n",
    "1,000 headers": b"Host: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1_000)),
    "a foreign position": b"Host: localhost\r\nLast-Event-ID: 1.1795491006.11.0\r\n",
    "an empty position": b"Host: localhost\r\nLast-Event-ID:\r\n",
    "a position without end": b"Host: localhost\r\nLast-Event-ID: " + b"9" * 9_000 + b"\r\n",
    "a position of bytes": b"Host: localhost\r\nLast-Event-ID: \xff\xfe\r\n",
    "any version": b"Host: localhost\r\nIf-Match: *\r\n",
    "no version": b'Host: localhost\r\nIf-Match: "x", W/""\r\n',
    "two versions": b'Host: localhost\r\nIf-Match: "1"\r\nIf-Match: "2"\r\n',
    "a version of 9,000 digits": b'Host: localhost\r\nIf-Match: "' + b"9" * 9_000 + b'"\r\n',
    "a key of 9,000 characters": b"Host: localhost\r\nIdempotency-Key: " + b"k" * 9_000 + b"\r\n",
    "a key of bytes": b"Host: localhost\r\nIdempotency-Key: \xff\x80\r\n",
    "two keys": b"Host: localhost\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n",
    "an empty key": b"Host: localhost\r\nIdempotency-Key:\r\n",
    "an actor of bytes": b"Host: localhost\r\nComanda-Actor: \xff\x80\xc3\r\n",
    "an actor of escapes": b"Host: localhost\r\nComanda-Actor: \x7f\xc2\x9b31m\r\n",
    "an actor of 9,000 characters": b"Host: localhost\r\nComanda-Actor: " + b"a" * 9_000 + b"\r\n",
    "a trace of garbage": b"Host: localhost\r\ntraceparent: 00-zz-zz-zz\r\nbaggage: \xff\r\n",
    "another protocol": b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
    "a socket": b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    "a range": b"Host: localhost\r\nRange: bytes=0-1,5-2\r\nIf-None-Match: \xff, *\r\n",
    "packed content": b"Host: localhost\r\nContent-Encoding: gzip\r\nAccept-Encoding: \xff\r\n",
    "what was never modified": b"Host: localhost\r\nIf-Modified-Since: Fri, 99 Foo 0000\r\n",
}
"""The head after its first line, which every route is sent."""

PATHS: dict[str, tuple[str, str]] = {
    "an escaped slash": (RESTAURANT, "r%2Fpoison"),
    "a NUL": (RESTAURANT, "r%00poison"),
    "half a character": (RESTAURANT, "%ff"),
    "an overlong slash": (RESTAURANT, "%c0%af"),
    "a surrogate": (RESTAURANT, "%ed%a0%80"),
    "a restaurant of 20,000 letters": (RESTAURANT, "r" * 20_000),
    "capitals": (RESTAURANT, "R-POISON"),
    "a percent sign": (RESTAURANT, "%"),
    "a folder above": (RESTAURANT, ".."),
    "a line's end": (RESTAURANT, "r%0d%0aX:%20y"),
    "two slashes": ("/v1/", "/v1//"),
    "parameters": (RESTAURANT, f"{RESTAURANT};x=1"),
}
"""What is put into the path of every route, in place of what."""

QUERIES: dict[str, str] = {
    "bytes": "%ff%fe",
    "a NUL": "%00",
    "a surrogate": "%ed%a0%80",
    "nothing": "",
    "5,000 letters": "x" * 5_000,
    "5,000 digits": "9" * 5_000,
    "a dollar": "$where",
    "an operator": '{"$gt":""}',
    "the end of time": "9999-12-31",
    "a negative number": "-1",
    "a fraction": "1e400",
}
"""The values that every parameter of every route is given."""

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "NULs": bytes(4_096),
    "no UTF-8": b'{"name": "\xff"}',
    "deep arrays": DEEP,
    "null": b"null",
    "an array": b"[]",
    "a number of 5,000 digits": b'{"guests": ' + b"9" * 5_000 + b"}",
    "no number": b'{"guests": NaN, "price": Infinity}',
    "too much": b" " * 300_000,
    "15,000 fields": json.dumps({str(n): 0 for n in range(15_000)}).encode(),
    "a name of 200,000 letters": b'{"' + b"x" * 200_000 + b'": 0}',
    "half a character": json.dumps({**TAKEAWAY, "customer": "\ud800"}).encode(),
    "a NUL in a name": json.dumps({"name": "a\0b", "customer": "a\0b", "reason": "\0"}).encode(),
    "escapes": json.dumps({"name": ESCAPES, "customer": ESCAPES, "reason": ESCAPES}).encode(),
    "a key twice": b'{"channel": "dine_in", "channel": "takeaway", "reason": 1, "reason": "x"}',
    "absurd numbers": json.dumps(
        {**TAKEAWAY, "price": 2**64, "lines": [{"sku": "margherita", "quantity": 10**300}]}
    ).encode(),
    "a dollar and dots": b'{"$where": "1", "a.b": 1, "__proto__": {}}',
    "UTF-16": json.dumps(TAKEAWAY).encode("utf-16"),
}
"""Bodies that every route that has one is sent."""

CHUNKED = b"Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST /v1/restaurants/%b/orders HTTP/1.1\r\n" % RESTAURANT.encode()
GET = b"GET /v1/restaurants/%b/menu" % RESTAURANT.encode()
LENGTH = POST + b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: "

CONNECTIONS: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": GET + b"\r\n\r\n",
    "HTTP/1.0 without a host": GET + b" HTTP/1.0\r\n\r\n",
    "HTTP/7": GET + b" HTTP/7.3\r\nHost: localhost\r\n\r\n",
    "bare line feeds": GET + b" HTTP/1.1\nHost: localhost\n\n",
    "a folded header": GET + b" HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "a blank before the colon": GET + b" HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a NUL in a header": GET + b" HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
    "a header without a name": GET + b" HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    "a path of bytes": b"GET /v1/restaurants/\xff\xc0/menu HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method that is none": b"FLY /v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT localhost:5432 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "everything": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another's URL": b"GET http://evil.example/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a URL without a path": b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "both lengths": POST + CHUNKED.replace(b"Trans", b"Content-Length: 5\r\nTrans") + b"0\r\n\r\n",
    "two lengths": LENGTH + b"2\r\nContent-Length: 3\r\n\r\n{}",
    "a negative length": LENGTH + b"-1\r\n\r\n",
    "a length of 30 digits": LENGTH + b"9" * 30 + b"\r\n\r\n",
    "a list of lengths": LENGTH + b"2, 2\r\n\r\n{}",
    "a bad chunk": POST + CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a bad second chunk": POST + CHUNKED + b"1\r\n{\r\n-1\r\n}\r\n0\r\n\r\n",
    "a chunk of 17 digits": POST + CHUNKED + b"f" * 17 + b"\r\n{}",
    "trailers": POST + CHUNKED + b"2\r\n{}\r\n0\r\nHost: evil.example\r\n\r\n",
    "1,000 trailers": POST + CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
    "too many chunks": POST + CHUNKED + (b"8000\r\n%b\r\n" % bytes(0x8000)) * 9 + b"0\r\n\r\n",
    "1,000 small chunks": POST + CHUNKED + b"1\r\n \r\n" * 1_000 + b"0\r\n\r\n",
    "an unknown coding": POST + CHUNKED.replace(b"chunked", b"gzip") + b"0\r\n\r\n",
    "what goes on once it may": LENGTH.replace(b"Content-T", b"Expect: 100-continue\r\nContent-T")
    + b"2\r\n\r\n"
    + LATER
    + b"{}",
}
"""Whole connections that every service is sent."""


@dataclass(frozen=True)
class BadRequest:
    """Bytes on a connection, and whether the answer to them has a body."""

    name: str
    data: bytes

    @property
    def has_body(self) -> bool:
        return not self.data.startswith(b"HEAD ")

    def allowed(self, authorization: str) -> bytes:
        """The bytes with a token, so that it is not refused for want of one."""
        header = f"Authorization: {authorization}\r\n".encode()
        return self.data.replace(HOST, HOST + header, 1)


def bad_requests(document: Document) -> Iterator[BadRequest]:
    """All of them for a service, by its OpenAPI document."""
    for name, data in CONNECTIONS.items():
        yield BadRequest(name, data)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _of_route(method.upper(), _filled(path), operation)


def _of_route(method: str, path: str, operation: Document) -> Iterator[BadRequest]:
    route, has_body = f"{method} {path[:80]}", "requestBody" in operation
    body = b"{}" if has_body else b""
    yield BadRequest(f"HEAD of {route}", _request("HEAD", path))
    yield BadRequest(f"{route}: PURGE", _request("PURGE", path))
    yield BadRequest(f"{route}: a slash more", _request(method, f"{path}/", body=body))
    for name, headers in HEADERS.items():
        yield BadRequest(f"{route}: {name}", _request(method, path, headers, body))
    for name, (good, bad) in PATHS.items():
        odd_path = path.replace(good, bad, 1)
        yield BadRequest(f"{route}: {name}", _request(method, odd_path, body=body))
    parameters = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    for parameter in parameters:
        for name, value in QUERIES.items():
            target = f"{path}?{parameter}={value}".replace('"', "%22")
            yield BadRequest(f"{route}: {parameter} of {name}", _request(method, target))
        often = "&".join([f"{parameter}=x"] * 1_000)
        yield BadRequest(f"{route}: {parameter} often", _request(method, f"{path}?{often}"))
    if has_body:
        for name, content in BODIES.items():
            yield BadRequest(f"{route}: {name}", _request(method, path, body=content))


def _request(
    method: str, target: str, headers: bytes = b"Host: localhost\r\n", body: bytes = b""
) -> bytes:
    first_line = f"{method} {target} HTTP/1.1\r\n".encode()
    about = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return first_line + headers + about + body


def _filled(path: str) -> str:
    """The path with what its parameters may be, in our restaurant."""
    values = {"restaurant": RESTAURANT, "order_id": str(uuid4()), "round": "1", "sku": "cola"}
    return re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], "2026-11-27"), path)
