"""Where the issuer's public keys are read: a file, or a URL."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

JWKS_BYTES_MAX = 256 * 1024
FETCH_TIMEOUT_S = 5.0
"""Of a whole answer, however slowly it comes."""
FILE_READ_INTERVAL_S = 1.0
URL_FETCH_INTERVAL_S = 300.0
URL_FETCH_PAUSE_MIN_S = 30.0


class KeySource(Protocol):
    """A JWK Set (RFC 7517, section 5) that somebody else writes."""

    interval_s: float
    """After so many seconds it is read again."""
    pause_min_s: float
    """At least so many seconds are between two reads, whatever is asked for."""

    async def read(self) -> bytes:
        """The set as JSON. Raises KeysUnreadable."""
        ...

    async def close(self) -> None:
        """Let go of what was opened."""
        ...


class KeysUnreadable(Exception):
    """The set of keys can't be read now, or there is none in what was read."""


def source_of(jwks: str) -> KeySource:
    """The source that a path, or a URL of http or https, names."""
    return JwksUrl(jwks) if jwks.startswith(("http://", "https://")) else JwksFile(Path(jwks))


class JwksFile:
    """A file, of some hundred bytes: it is read so often that a new key is known at once."""

    interval_s = FILE_READ_INTERVAL_S
    pause_min_s = 0.0

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(JWKS_BYTES_MAX + 1)
        except OSError as error:
            raise KeysUnreadable(f"{error.strerror}: {self._path}") from error
        _check_length(content)
        return content

    async def close(self) -> None:
        """Nothing is held open."""


class JwksUrl:
    """A URL of the provider; of it the host alone is ever said: there may be a secret in it."""

    interval_s = URL_FETCH_INTERVAL_S
    pause_min_s = URL_FETCH_PAUSE_MIN_S

    def __init__(self, url: str, new_client: Callable[[], httpx.AsyncClient] | None = None) -> None:
        self._url = url
        self._host = urlsplit(url).hostname
        self._new_client = new_client or (lambda: httpx.AsyncClient(timeout=FETCH_TIMEOUT_S))
        self._client: httpx.AsyncClient | None = None

    async def read(self) -> bytes:
        if self._client is None:
            self._client = self._new_client()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                return await self._fetched(self._client)
        except TimeoutError:
            raise KeysUnreadable(f"{self._host}: not read in {FETCH_TIMEOUT_S:g} s") from None
        except httpx.HTTPStatusError as error:
            raise KeysUnreadable(f"{self._host}: status {error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeysUnreadable(f"{self._host}: {type(error).__name__}") from None

    async def _fetched(self, client: httpx.AsyncClient) -> bytes:
        content = bytearray()
        async with client.stream("GET", self._url) as response:
            response.raise_for_status()
            async for piece in response.aiter_bytes():
                content += piece
                _check_length(content)
        return bytes(content)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _check_length(content: bytes | bytearray) -> None:
    if len(content) > JWKS_BYTES_MAX:
        raise KeysUnreadable(f"it is longer than {JWKS_BYTES_MAX} bytes")
