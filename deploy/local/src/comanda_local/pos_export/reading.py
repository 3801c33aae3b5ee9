"""One file under way: what was guessed of it, and what has to be asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from comanda_local.pos_export.amounts import guess_mark, parse_mark
from comanda_local.pos_export.columns import Column
from comanda_local.pos_export.findings import Ambiguous, BadRow
from comanda_local.pos_export.money import bare, guess_currency, price
from comanda_local.pos_export.sheet import Row, Sheet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PriceFormat:
    """How prices are written."""

    mark: str
    currency: str

    def price(self, text: str) -> int:
        """In minor units. Raises ValueError."""
        return price(text, self.mark, self.currency)


@dataclass(slots=True)
class Reading:
    """A file as it is understood."""

    sheet: Sheet
    notes: list[str] = field(default_factory=list)
    """What was guessed and why, for the user to see."""
    questions: list[str] = field(default_factory=list)
    """What can't be guessed; nothing of the file is used while there are any."""
    row_count: int = field(init=False)

    def __post_init__(self) -> None:
        self.row_count = len(self.sheet.rows) + len(self.sheet.bad_rows)
        self.notes += self.sheet.described()

    def guess(self, guessing: Callable[[], tuple[T, str]]) -> T | None:
        """What is guessed, noted with its reason; None if it has to be asked."""
        try:
            value, why = guessing()
        except Ambiguous as question:
            self.questions.append(str(question))
            return None
        self.notes.append(why)
        return value

    def price_format(
        self, column: Column, decimal: str | None, currency: str | None
    ) -> PriceFormat | None:
        """How the prices of a column are written; None if it has to be asked."""
        values = self.sheet.values(column)
        numbers = [(line, bare(value)) for line, value in values]
        mark = parse_mark(decimal) if decimal else self.guess(lambda: guess_mark(numbers))
        code = currency or self.guess(lambda: guess_currency(values))
        return PriceFormat(mark, code) if mark and code else None

    def leave_out(self, row: Row, reason: object) -> None:
        """Count a row among those that were left out."""
        self.sheet.bad_rows.append(BadRow(row.line, str(reason)))

    def left_out(self) -> list[BadRow]:
        """The rows that were left out, by line."""
        return sorted(self.sheet.bad_rows, key=lambda bad: bad.line)
