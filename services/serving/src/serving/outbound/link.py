"""The connection to NATS that HTTP requests use; there may be none."""

import contextlib
from collections.abc import Iterator

from nats.aio.client import Client

from serving.application.tickets import StoreUnavailable


class Link:
    """Holds the connection while there is one."""

    def __init__(self) -> None:
        self._client: Client | None = None

    @contextlib.contextmanager
    def over(self, client: Client) -> Iterator[None]:
        """Lend the link this connection."""
        self._client = client
        try:
            yield
        finally:
            self._client = None

    @property
    def is_up(self) -> bool:
        """Whether there is a server at the other end, as far as is known."""
        return self._client is not None and self._client.is_connected

    def client(self) -> Client:
        """The connection. Raises StoreUnavailable while there is none."""
        if self._client is None or not self._client.is_connected:
            raise StoreUnavailable("not connected to NATS")
        return self._client
