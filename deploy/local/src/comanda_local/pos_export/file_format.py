"""What a user says about the files of an export; the rest is guessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from comanda_local.pos_export.amounts import parse_mark
from comanda_local.pos_export.columns import Column, parse_columns
from comanda_local.pos_export.dates import given_dates
from comanda_local.pos_export.findings import NotAnExport
from comanda_local.pos_export.money import check_currency

FILES = 2
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class Numbers(StrEnum):
    """What it means that an order's number is there again hours later."""

    UNIQUE = "unique"
    """It is the same order."""
    REUSED = "reused"
    """It is another one."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How the files are written; None and what is not given are guessed.

    Of encodings, delimiters and decimal marks there is one for both files, or one for each: the
    orders' and the price list's.
    """

    columns: Mapping[Column, tuple[str, ...]] = field(default_factory=dict)
    """Names that a column may have; with none the file is read as if it had not the column."""
    date_format: str | None = None
    decimals: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    delimiters: tuple[str, ...] = ()
    currency: str | None = None
    numbers: Numbers | None = None


def of_orders(values: tuple[str, ...]) -> str | None:
    """The one of the values that is for the file of orders."""
    return values[0] if values else None


def of_prices(values: tuple[str, ...]) -> str | None:
    """The one of the values that is for the price list."""
    return values[-1] if values else None


def parse_format(
    columns: str,
    date_format: str | None,
    decimals: Sequence[str],
    encodings: Sequence[str],
    delimiters: Sequence[str],
    currency: str | None,
    numbers: Numbers | None,
) -> FileFormat:
    """The format as a user gives it. Raises NotAnExport."""
    for option, values in (
        ("decimal", decimals),
        ("encoding", encodings),
        ("delimiter", delimiters),
    ):
        if len(values) > FILES:
            raise NotAnExport(
                f"--{option} is there {len(values)} times; there are two files at most"
            )
    if date_format:
        given_dates(date_format)
    return FileFormat(
        parse_columns(columns) if columns else {},
        date_format,
        tuple(map(parse_mark, decimals)),
        tuple(encodings),
        tuple(map(parse_delimiter, delimiters)),
        check_currency(currency) if currency else None,
        numbers,
    )


def parse_delimiter(text: str) -> str:
    """The delimiter as given: a character, or its name. Raises NotAnExport."""
    delimiter = DELIMITER_NAMES.get(text.lower(), text)
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n\0':
        raise NotAnExport(
            f"--delimiter is a character or {', '.join(DELIMITER_NAMES)}; not {text!r}"
        )
    return delimiter
