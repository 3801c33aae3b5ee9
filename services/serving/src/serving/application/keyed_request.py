"""Requests that carry a key, so that one that is repeated has one effect."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

from serving.domain.ticket import ExpectedVersion, Refusal


# decision/0010: a cook's request is remembered by the event it led to
@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A client's request, named by its key; `change` is the verb and the version it expects.

    It is stored with the event that it leads to, and so is known for as long as the store keeps the
    ticket's events. The name is a digest of the key, since others can read the events. One that
    came of an event of the order tells at which of its versions.
    """

    name: str
    change: str
    order_version: int | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        key: str,
        verb: str,
        expected_version: ExpectedVersion,
        order_version: int | None = None,
    ) -> Self:
        """The request with this key."""
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        change = verb if expected_version is None else f"{verb}@{_name(expected_version)}"
        return cls(name, change, order_version)


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
