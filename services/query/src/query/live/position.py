"""The position of a change of an order view among all changes."""

from typing import NamedTuple

from bson import Timestamp

LAST_ORDINAL = 1_000_000
"""The ordinal that stands for all changes of one transaction: no batch has as many."""

DIGITS_MAX = 10
"""In one part of a position's text."""


class Position(NamedTuple):
    """MongoDB's own time of the change: the same on every replica.

    The number of the generation comes first, so that a position in one says nothing in another.
    """

    generation: int
    seconds: int
    increment: int
    ordinal: int = 0
    """Among the changes of one transaction, which have the same time."""

    def __str__(self) -> str:
        return ".".join(map(str, self))

    def then(self, time: Timestamp) -> "Position":
        """The position of the change that comes next, at this time."""
        is_same = (time.time, time.inc) == (self.seconds, self.increment)
        return Position(self.generation, time.time, time.inc, self.ordinal + 1 if is_same else 0)

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position whose text this is; None if it is the text of none."""
        parts = text.split(".")
        if len(parts) == len(cls._fields) and all(map(_is_number, parts)):
            return cls(*map(int, parts))
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
