"""Text of strangers, made fit for a terminal, a log and a header."""

import json
from typing import Any


def printable(text: str) -> str:
    r"""The text on one line, with whatever a terminal would obey told by its escape.

    That is every control character (C0, C1, so ANSI sequences too), every mark that turns or hides
    text (bidirectional overrides, zero widths) and every line break: `\x1b[31m` instead of red.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """The same of each line, which stay lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def printable_json(value: Any) -> str:
    """The value as JSON on one line, in ASCII without a control character."""
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
