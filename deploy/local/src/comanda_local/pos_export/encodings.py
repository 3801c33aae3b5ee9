"""The text of a file, from its bytes: guessed if they are Unicode, asked for if they are not.

Which of the many codes of 256 letters a file is in can't be told from a few accents, and a wrong
one goes unnoticed until guests read the menu; so the detector only proposes.
"""

import codecs
import unicodedata
from dataclasses import dataclass

from charset_normalizer import from_bytes

from comanda_local.pos_export.findings import Ambiguous, NotAnExport

LOST = "\ufffd"
"""Stands for bytes that are no letters; the rows that have it are left out."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 before UTF-16, with whose mark its own begins."""
NO_TEXT = {
    b"PK\x03\x04": "a workbook (XLSX) or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old workbook (XLS)",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "compressed (gzip)",
}
SHIFTED_NEWLINE = "\u0a00"
"""What a newline becomes in UTF-16 of which a byte is missing or the byte order is wrong."""
LOOKED_AT_BYTES = 4096
PROPOSED_LINES = 200
PROPOSALS = 4
NUL_SHARE = 0.3
"""Of every second byte, from which on these are the upper halves of UTF-16."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file in composed letters (NFC), and in what encoding it was."""

    text: str
    encoding: str


def decode(content: bytes, encoding: str | None = None) -> Decoded:
    """Decode a file. Raises NotAnExport, and Ambiguous if its encoding can't be told."""
    for signature, kind in NO_TEXT.items():
        if content.startswith(signature):
            raise NotAnExport(f"it is {kind}, no text; save it as CSV")
    chosen = encoding or _unicode(content)
    try:
        text = content.decode(chosen, errors="replace")
    except (LookupError, UnicodeError):
        raise NotAnExport(f"there is no text encoding {chosen!r}") from None
    if SHIFTED_NEWLINE in text:
        raise NotAnExport(f"as {chosen} its bytes are shifted: one is missing, or two are swapped")
    return Decoded(unicodedata.normalize("NFC", text.removeprefix("\ufeff")), chosen)


def _unicode(content: bytes) -> str:
    """The Unicode encoding that the bytes are in, if they are."""
    for mark, name in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return name
    return _utf_16(content[:LOOKED_AT_BYTES]) or _utf_8(content)


def _utf_16(content: bytes) -> str | None:
    """UTF-16 without a mark: letters of the West leave every second byte 0."""
    if len(content) < 2:  # noqa: PLR2004 - one character
        return None
    upper_if_big, upper_if_little = (
        half.count(0) / len(half) for half in (content[::2], content[1::2])
    )
    if max(upper_if_big, upper_if_little) < NUL_SHARE:
        return None
    if min(upper_if_big, upper_if_little) > NUL_SHARE:
        raise Ambiguous("it is full of zero bytes, as UTF-32 is; say which with --encoding")
    return "utf-16-le" if upper_if_little > upper_if_big else "utf-16-be"


def _utf_8(content: bytes) -> str:
    """UTF-8, though some of its bytes be damaged. Raises Ambiguous if few are UTF-8 at all."""
    text = content.decode("utf-8", errors="replace")
    damaged = text.count(LOST) - content.count(LOST.encode())
    letters = sum(not letter.isascii() for letter in text) - text.count(LOST)
    if damaged and letters <= damaged:
        raise Ambiguous(_proposals(content))
    return "utf-8"


def _proposals(content: bytes) -> str:
    lines = [(n, line) for n, line in enumerate(content.splitlines(), 1) if not line.isascii()]
    number, first = lines[0]
    sample = b"\n".join(line for _, line in lines[:PROPOSED_LINES])
    matches = list(from_bytes(sample))[:PROPOSALS]
    readings = [f"{match.encoding} ({first.decode(match.encoding)!r})" for match in matches]
    proposed = f"; it may be {' or '.join(readings)}" if readings else ""
    return (
        f"it is not UTF-8 (line {number} is the first of {len(lines):,}){proposed}; "
        f"say which with --encoding"
    )
