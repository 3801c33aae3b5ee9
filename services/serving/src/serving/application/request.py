"""Doing what a client asks once, however often the client asks for it."""

import hashlib
from dataclasses import dataclass
from typing import Self

from serving.domain.ticket import Refusal


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request by the name that its key gives it; `change` is what it asks for.

    It is kept with the event that it leads to, so the event tells whose it is, for as long as the
    store keeps the ticket's events. The name is a digest, for others can read the events.
    """

    name: str
    change: str

    @classmethod
    def of(cls, key: str, verb: str, expected_version: int | None) -> Self:
        """The request with this key."""
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return cls(name, verb if expected_version is None else f"{verb}@{expected_version}")


class KeyReused(Refusal):
    """The key names another request for the ticket already."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("The key was used for another change of the ticket; give each its own.")
