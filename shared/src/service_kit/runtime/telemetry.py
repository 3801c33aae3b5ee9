"""What a service says of itself besides its metrics: its log, a line a request, and its spans."""

import sys

from service_kit.runtime import logs, request_log
from service_kit.runtime.logs import Form
from service_kit.runtime.settings import ServiceSettings
from service_kit.runtime.tracing import CannotExport, export_spans


def start(service: str, settings: ServiceSettings) -> None:
    """Begin to log, and to export spans if they are wanted; end the process if they can't be."""
    logs.configure(service, settings.log_level, settings.log_form)
    if settings.log_requests:
        request_log.start(service if settings.log_form is Form.JSON else None)
    try:
        export_spans(service)
    except CannotExport as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
