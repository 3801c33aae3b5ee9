"""Values of headers: text that people wrote, and the versions that a condition allows."""

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BeforeValidator

VERSION_TAG = r'(?:W/)?"[1-9][0-9]{0,8}"'
IF_MATCH_PATTERN = rf"^(?:\*|{VERSION_TAG}(?:[ \t]*,[ \t]*{VERSION_TAG}){{0,19}})$"
"""RFC 9110, section 13.1.1: `*`, or the tags of some versions."""
STRONG_TAG = re.compile(r'(?<!W/)"([0-9]+)"')
EXISTING = range(1, 10**9)
"""Whatever version there is."""


def as_text(value: Any) -> Any:
    """The text of a header, of which frameworks take each byte for a letter of Latin-1.

    What is UTF-8, as most programs send it, is read as that, and as Latin-1 what is not.
    """
    if not isinstance(value, str):
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


HeaderText = Annotated[str, BeforeValidator(as_text)]
"""A header's value as somebody wrote it."""


def versions_in(if_match: str | None) -> int | Collection[int] | None:
    """The version, or versions, that `If-Match` allows; None without it. Weak tags never match."""
    if if_match is None:
        return None
    if if_match == "*":
        return EXISTING
    versions = frozenset(map(int, STRONG_TAG.findall(if_match)))
    return next(iter(versions)) if len(versions) == 1 else versions
