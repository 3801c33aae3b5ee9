"""Where a change of an order view stands among all of them."""

from typing import NamedTuple

from bson import Timestamp

PARTS = 3


class Position(NamedTuple):
    """MongoDB's own time of the change: the same on every replica.

    The number of the generation comes first, so that a position in one says nothing in another.
    """

    generation: int
    seconds: int
    increment: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.seconds}.{self.increment}"

    @classmethod
    def at(cls, generation: int, time: Timestamp) -> "Position":
        """The position of a change in the generation."""
        return cls(generation, time.time, time.inc)

    @classmethod
    def read(cls, text: str) -> "Position | None":
        """What `str` gave; None for anything else."""
        parts = text.split(".")
        if len(parts) == PARTS and all(part.isdecimal() for part in parts):
            return cls(*map(int, parts))
        return None
