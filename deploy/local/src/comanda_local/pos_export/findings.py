"""What reading an export brings to light besides orders: rows left out, and why a file is none."""

from dataclasses import dataclass


class NotAnExport(ValueError):
    """The file can't be read as an export at all; the text says why, and what would help."""


class Ambiguous(NotAnExport):
    """What was found allows more than one reading; the text names them and the option to say."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out."""

    line: int
    """In the file, from 1; of a row over several lines the first."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"
