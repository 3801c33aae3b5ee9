"""The id of the request that is being answered: in its answer, in its problem, in the log."""

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar

from structlog.typing import EventDict, WrappedLogger

REQUEST_ID_HEADER = b"request-id"
REQUEST_ID_PATTERN = re.compile(rb"[\w.:/+=@~-]{1,128}")
"""Of what a client says: it stands in logs and headers, so it is short, and of harmless letters."""
MADE_ID_BYTES = 12

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Empty where no request is being answered."""


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What the request calls itself; a new id if it has no name, several or one that is none."""
    given = [value for name, value in headers if name == REQUEST_ID_HEADER]
    if len(given) == 1 and REQUEST_ID_PATTERN.fullmatch(given[0]):
        return given[0].decode("ascii")
    return secrets.token_hex(MADE_ID_BYTES)


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor of log lines: the request during which something was said."""
    if request_id := REQUEST_ID.get():
        event.setdefault("request_id", request_id)
    return event
