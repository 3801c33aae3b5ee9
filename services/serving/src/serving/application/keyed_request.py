"""Requests that carry a key, so that one that is repeated has one effect."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from serving.domain.ticket import ExpectedVersion, Refusal


# decision/0010: a cook's request is remembered by the event it led to
@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A client's request, named by its key; `change` is the verb and the version it expects.

    It is stored with the event that it leads to, and so is known for as long as the store keeps the
    ticket's events. The name is a digest of the key, since others can read the events.
    """

    name: str
    change: str

    @classmethod
    def of(cls, key: str, verb: str, expected_version: ExpectedVersion) -> Self:
        """The request with this key."""
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return cls(name, verb if expected_version is None else f"{verb}@{_name(expected_version)}")


def _name(expected: int | Collection[int]) -> str:
    match expected:
        case int():
            return str(expected)
        case range():
            return "*"
        case _:
            return ",".join(map(str, sorted(expected)))


class KeyReused(Refusal):
    """The key was used for another change of the ticket."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("The key was used for another change of the ticket; give each its own.")
