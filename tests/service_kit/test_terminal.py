"""Nothing that a stranger wrote is obeyed by a terminal."""

import json

import pytest
from service_kit.runtime.terminal import printable, printable_json, printable_lines


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "\x9b2J",
        "\x7f",
        "a\rb",
        "\u202etxt.exe",
        "\u2066hidden\u2069",
        "zero\u200bwidth",
        "\u2028line",
        "\ud800",
    ],
)
def test_what_a_terminal_would_obey_is_told_by_its_escape(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text).encode()
    assert "\\" in printable(text)
    assert all(32 <= byte < 127 for byte in printable_json({"body": text}).encode())
    assert json.loads(printable_json({"body": text})) == {"body": text}


def test_what_people_write_stays_as_it_is() -> None:
    assert printable("Çay, 煎餅 and crème brûlée €") == "Çay, 煎餅 and crème brûlée €"
    assert printable_lines("one\ntwo\tx") == "one\ntwo\\tx"
