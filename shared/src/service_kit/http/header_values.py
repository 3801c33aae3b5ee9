"""Values of headers: text that people wrote, and the versions that a condition allows."""

import re
from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BeforeValidator
from starlette.datastructures import Headers

VERSION_TAG = re.compile(r'(?:^|[,\s])"([1-9][0-9]{0,8})"(?=$|[,\s])')
"""A strong tag (RFC 9110, section 8.8.3) that is a version, in a list of tags."""
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


def whole_header(headers: Headers, name: str) -> str | None:
    """A list header, of which there may be several lines; None if there is none."""
    return ", ".join(headers.getlist(name)) if name in headers else None


def versions_in(if_match: str | None) -> int | Collection[int] | None:
    """The version, or versions, that `If-Match` allows; None without it.

    By strong comparison (RFC 9110, section 13.1.1): a weak tag, another service's, and what is no
    tag at all are versions of nothing here, and allow none.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return EXISTING
    versions = frozenset(map(int, VERSION_TAG.findall(if_match)))
    return next(iter(versions)) if len(versions) == 1 else versions
