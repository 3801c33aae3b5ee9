"""A line in the log for each request: many a second, so they are written several at a time."""

import asyncio
import atexit
import sys
from datetime import UTC, datetime

import orjson
import structlog

from service_kit.runtime.tracing import current_trace_id

WRITE_AFTER_S = 0.2
"""Seconds that a line waits for others, at most: a process that is killed may leave these out."""
LINES_MAX = 500
"""Lines that are written without waiting."""

log = structlog.get_logger()


class _RequestLog:
    """Where lines go: nowhere until it is on; then to standard output, or to structlog."""

    def __init__(self) -> None:
        self.is_on = False
        self.service: str | None = None
        self.waiting: list[bytes] = []


_log = _RequestLog()


def start(service: str | None) -> None:
    """Write from now on: JSON of this service, or what structlog makes of it, if there is none."""
    _log.is_on = True
    _log.service = service
    atexit.register(flush)


def stop() -> None:
    """Write what waits, and nothing more."""
    flush()
    _log.is_on = False


def is_on() -> bool:
    """Whether lines are written."""
    return _log.is_on


def write(**fields: str | int | float) -> None:
    """Say of a request what the fields tell, and the id of the trace that it belongs to."""
    if trace_id := current_trace_id():
        fields["trace_id"] = trace_id
    if _log.service is None:
        log.info("request", **fields)
        return
    said: dict[str, object] = {
        "service": _log.service,
        "event": "request",
        "level": "info",
        **fields,
    }
    said["timestamp"] = datetime.now(UTC)
    _log.waiting.append(orjson.dumps(said, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    if len(_log.waiting) >= LINES_MAX:
        flush()
    elif len(_log.waiting) == 1:
        asyncio.get_running_loop().call_later(WRITE_AFTER_S, flush)


def flush() -> None:
    """Write what waits."""
    lines, _log.waiting = _log.waiting, []
    if lines:
        sys.stdout.buffer.write(b"".join(lines))
        sys.stdout.flush()
