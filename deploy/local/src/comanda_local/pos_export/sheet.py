"""A file of separated values as rows of named fields, none of them lost without a word.

Python's own reader, strict, one record at a time: so a quote that is never closed costs the row it
stands in, and reading goes on with the next line. What delimits the fields is what lets the header
be understood; no statistics of the text are needed (and clevercsv, which keeps them, has no strict
reading).
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from comanda_local.pos_export.columns import NAMES, Column, find_columns, only
from comanda_local.pos_export.encodings import LOST, Decoded
from comanda_local.pos_export.findings import BadRow, NotAnExport

DELIMITERS = (",", ";", "\t", "|")
TITLE_LINES = 20
"""Lines in which the header is looked for."""
FEW_DELIMITERS = 2
"""In a quoted field of several lines; from here on they are rather rows than somebody's words."""

Places = Mapping[Column, list[int]]


@dataclass(frozen=True, slots=True)
class Row:
    """A record: its line in the file, and its fields."""

    line: int
    fields: Mapping[Column, str]


@dataclass(frozen=True, slots=True)
class Header:
    """Where the columns are."""

    line: int
    """From 1."""
    names: tuple[str, ...]
    delimiter: str
    places: Places


@dataclass(slots=True)
class Sheet:
    """The rows of a file, those that were left out, and how it was understood."""

    header: Header
    encoding: str
    columns: dict[Column, int]
    rows: list[Row] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    titles: int = 0
    """Lines above the header."""

    def values(self, column: Column) -> list[tuple[int, str]]:
        """What stands in a column, with its lines, without the empty ones."""
        values = ((row.line, row.fields[column].strip()) for row in self.rows)
        return [(line, value) for line, value in values if value]

    def described(self) -> list[str]:
        """How the file was understood, for the user to see."""
        names = self.header.names
        used = [f"{column} = {names[place]!r}" for column, place in self.columns.items()]
        unused = [
            repr(name) for place, name in enumerate(names) if place not in self.columns.values()
        ]
        titles = f", below {self.titles} of titles" if self.titles else ""
        return [
            f"encoding {self.encoding}, delimiter {self.header.delimiter!r}",
            f"header in line {self.header.line}{titles}",
            f"columns: {', '.join(used)}",
            *([f"columns that are not read: {', '.join(unused)}"] if unused else []),
        ]


def read_sheet(
    decoded: Decoded,
    given: Mapping[Column, tuple[str, ...]],
    delimiter: str | None,
    pick: Callable[[Places], Sequence[Column]],
) -> Sheet:
    """Read a file; `pick` says which of the columns found it wants, raising KeyError for want.

    Raises NotAnExport if no line is a header with what is needed, and Ambiguous.
    """
    lines = list(io.StringIO(decoded.text, newline=""))
    start, announced = _announced(lines)
    candidates = [d for d in (delimiter or announced,) if d] or DELIMITERS
    header, columns = _header(lines, start, candidates, given, pick)
    chosen = {column: only(column, header.places[column], header.names) for column in columns}
    sheet = Sheet(header, decoded.encoding, chosen)
    _look_above(lines[start : header.line - 1], start, sheet)
    for line, fields in _records(lines, header, sheet.bad_rows):
        row = {column: fields[place] for column, place in chosen.items()}
        sheet.rows.append(Row(line, row))
    return sheet


def _announced(lines: Sequence[str]) -> tuple[int, str | None]:
    """Whether the first line is `sep=;`, as Excel has it, and the delimiter then."""
    found = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE) if lines else None
    return (1, found[1]) if found else (0, None)


def _header(
    lines: Sequence[str],
    start: int,
    delimiters: Sequence[str],
    given: Mapping[Column, tuple[str, ...]],
    pick: Callable[[Places], Sequence[Column]],
) -> tuple[Header, Sequence[Column]]:
    missing: dict[str, str] = {}
    for number, line in enumerate(lines[start : start + TITLE_LINES], start + 1):
        for delimiter in delimiters:
            names = tuple(name.strip() for name in _fields(line, delimiter))
            places = find_columns(names, given)
            try:
                return Header(number, names, delimiter, places), pick(places)
            except KeyError as error:
                missing.setdefault(line, f"{error.args[0]}; {_shown(number, names)}")
    raise NotAnExport(f"there is no column {next(iter(missing.values()), 'at all: it is empty')}")


def _shown(number: int, names: Sequence[str]) -> str:
    columns = ", ".join(map(repr, names)) if any(names) else "nothing"
    return f"line {number} has {columns} (--columns says which is which, --delimiter what parts)"


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return []


def _look_above(lines: Sequence[str], start: int, sheet: Sheet) -> None:
    """What stands above the header: titles, unless it has the header's width."""
    for number, line in enumerate(lines, start + 1):
        if len(_fields(line, sheet.header.delimiter)) == len(sheet.header.names):
            sheet.bad_rows.append(BadRow(number, "it stands above the header"))
        elif line.strip():
            sheet.titles += 1


def _records(
    lines: Sequence[str], header: Header, bad_rows: list[BadRow]
) -> Iterator[tuple[int, Sequence[str]]]:
    """The records below the header; one that can't be trusted costs its first line alone.

    What such a one would have swallowed is read anew, and what in it has half a pair of quotes is
    left out as well: it may be where the odd quote ends.
    """
    at, swallowed = header.line, 0
    while at < len(lines):
        fields, count, reason = _record(lines, at, header)
        if reason is None and at < swallowed and _has_odd_quotes(lines[at : at + count]):
            reason = "it has half a pair of quotes, of which the other half is further up"
        if reason:
            bad_rows.append(BadRow(at + 1, reason))
            swallowed = max(swallowed, at + count if count > 1 else 0)
        elif any(map(str.strip, fields)):
            yield at + 1, fields
        at += 1 if reason else count


def _record(lines: Sequence[str], at: int, header: Header) -> tuple[Sequence[str], int, str | None]:
    """The record that begins there, how many lines it has, and why it can't be trusted, if so."""
    reader = csv.reader(
        map(lines.__getitem__, range(at, len(lines))),
        delimiter=header.delimiter,
        skipinitialspace=True,
        strict=True,
    )
    try:
        fields = next(reader)
    except csv.Error as error:
        return [], reader.line_num, _quoting_fault(error, reader.line_num)
    return fields, reader.line_num, _fault(fields, reader.line_num, header)


def _has_odd_quotes(lines: Sequence[str]) -> bool:
    return sum(line.count('"') for line in lines) % 2 == 1


def _quoting_fault(error: csv.Error, lines: int) -> str:
    if lines > 1:
        return f"it opens a quote that does not end in place: it would swallow {lines - 1:,} lines"
    return f"its quotes are odd ({error})"


def _fault(fields: Sequence[str], lines: int, header: Header) -> str | None:
    """Why a record can't be trusted, if so."""
    width = len(header.names)
    few = min(width - 1, FEW_DELIMITERS)
    if any(_is_several_lines(text) and text.count(header.delimiter) >= few for text in fields):
        return f"it opens a quote that ends {lines - 1:,} lines later: rows would be swallowed"
    if any(map(str.strip, fields)) and len(fields) != width:
        return f"it has not the {width} fields that the header has, but {len(fields)}"
    if any(LOST in text for text in fields):
        return f"it has bytes that are no letters in the file's encoding ({LOST})"
    return None


def _is_several_lines(text: str) -> bool:
    return "\n" in text or "\r" in text


def missing(*columns: Column) -> KeyError:
    """That none of the columns is there, in words."""
    return KeyError(" or ".join(repr(NAMES[column][0]) for column in columns))
