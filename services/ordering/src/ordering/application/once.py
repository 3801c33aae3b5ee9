"""Doing what a client asks once, however often the client asks for it."""

from dataclasses import dataclass

from ordering.domain.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request by the key that the client gave it.

    `fingerprint` tells whether a request with the same key is the same request.
    """

    restaurant: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client was told: kept with the effect, to be told again. `body` is JSON."""

    status: int
    version: int
    location: str | None = None
    body: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was carried out, and its answer."""

    request: Request
    answer: Answer

    def to(self, request: Request) -> Answer:
        """The answer to a request with the same key. Raises KeyReused if it is another request."""
        if request != self.request:
            raise KeyReused(request.key)
        return self.answer


class KeyReused(Refusal):
    """The key names another request already."""

    code = "idempotency-key-reused"

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key!r} was used for another request; give each its own.")
