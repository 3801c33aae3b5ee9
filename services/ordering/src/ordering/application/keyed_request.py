"""Requests that name themselves by a key, so that one sent again has no second effect."""

from dataclasses import dataclass, field, replace

from ordering.domain.refusals import Refusal


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A client's request, by the key that the client gave it.

    `fingerprint` tells whether a request with the same key is the same request.
    """

    restaurant: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request that changed something, kept to be given again. `body` is JSON."""

    status: int
    version: int
    location: str | None = None
    body: str
    is_repeated: bool = field(default=False, compare=False)
    """Whether it was given before, and is given again."""


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that was carried out, and its answer."""

    request: KeyedRequest
    answer: Answer

    def answer_to(self, request: KeyedRequest) -> Answer:
        """The answer to a request with the same key. Raises KeyReused if it is another request."""
        if request != self.request:
            raise KeyReused
        return replace(self.answer, is_repeated=True)


class KeyReused(Refusal):
    """The key names another request already."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("The key was used for another request; give each its own.")
