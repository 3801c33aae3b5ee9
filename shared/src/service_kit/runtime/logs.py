"""Structured logs: one JSON object a line on standard output, or text for who sits before it."""

import logging
from enum import StrEnum

import structlog

from service_kit.runtime.request_id import add_request_id


class Form(StrEnum):
    """How a line is written."""

    JSON = "json"
    CONSOLE = "console"


def configure(service: str, level: str, form: Form = Form.JSON) -> None:
    """Send this process's logs, and those of its libraries from WARNING up, to standard output."""
    is_json = form is Form.JSON
    rendering = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if is_json
        else [structlog.dev.ConsoleRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


class _ToStructlog(logging.Handler):
    """Hands a library's log record to structlog, so that every line has one shape."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger().bind(logger=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
