"""Numbers as people write them, and which mark parts their decimals."""

import re
from collections.abc import Iterable
from decimal import Decimal

from comanda_local.pos_export.findings import Ambiguous, NotAnExport

POINT, COMMA = ".", ","
_SPACES = " \u00a0\u202f'\u2019"
"""Between thousands; some write an apostrophe."""
_NUMBER = {
    mark: re.compile(
        rf"(?:[0-9]+|[1-9][0-9]{{0,2}}([{_SPACES}{other}])[0-9]{{3}}(?:\1[0-9]{{3}})*)?"
        rf"(?:{re.escape(mark)}[0-9]+)?"
    )
    for mark, other in ((POINT, COMMA), (COMMA, POINT))
}


def number(text: str, mark: str) -> Decimal | None:
    """The number that a text is if `mark` parts the decimals; None if it is none."""
    found = _NUMBER[mark].fullmatch(text)
    if not text or found is None:
        return None
    whole, _, decimals = text.partition(mark)
    return Decimal(f"{re.sub('[^0-9]', '', whole) or 0}.{decimals or 0}")


def parse_mark(text: str) -> str:
    """The mark as given. Raises NotAnExport."""
    marks = {POINT: POINT, COMMA: COMMA, "point": POINT, "dot": POINT, "comma": COMMA}
    if text.lower() not in marks:
        raise NotAnExport(f"--decimal is . or , (point or comma), not {text!r}")
    return marks[text.lower()]


def guess_mark(values: Iterable[tuple[int, str]], fallback: str | None = None) -> tuple[str, str]:
    """The decimal mark of a column and why, from its values with their lines.

    Raises Ambiguous if none decides or they contradict each other, unless there is a `fallback`.
    """
    deciding: dict[str, tuple[int, str]] = {}
    doubtful: tuple[int, str] | None = None
    for line, value in values:
        readings = {mark: number(value, mark) for mark in _NUMBER}
        marks = [mark for mark, reading in readings.items() if reading is not None]
        if len(marks) == 1:
            deciding.setdefault(marks[0], (line, value))
        elif readings[POINT] != readings[COMMA]:
            doubtful = doubtful or (line, value)
    return _decide(deciding, doubtful, fallback)


def _decide(
    deciding: dict[str, tuple[int, str]], doubtful: tuple[int, str] | None, fallback: str | None
) -> tuple[str, str]:
    if len(deciding) == 1:
        [(mark, (line, value))] = deciding.items()
        return mark, f"decimal mark {mark!r} ({value!r} in line {line})"
    if fallback is not None:
        return fallback, f"decimal mark {fallback!r}"
    if deciding:
        (point, with_point), (comma, with_comma) = deciding[POINT], deciding[COMMA]
        raise Ambiguous(
            f"the decimal mark is a point in {with_point!r} (line {point}) and a comma in "
            f"{with_comma!r} (line {comma}); say which with --decimal"
        )
    if doubtful:
        raise Ambiguous(
            f"{doubtful[1]!r} (line {doubtful[0]}) may have thousands or decimals; "
            f"say which mark parts decimals with --decimal"
        )
    return POINT, "whole numbers"
