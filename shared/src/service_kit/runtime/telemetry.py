"""What a service says of itself from its start: its release, its log, and its spans."""

import sys

from service_kit.runtime import logs, request_log
from service_kit.runtime.build_info import export_build
from service_kit.runtime.certificates import export_certificates
from service_kit.runtime.logs import Form
from service_kit.runtime.settings import ServiceSettings
from service_kit.runtime.tracing import CannotExport, export_spans


def start(service: str, settings: ServiceSettings) -> None:
    """Begin to log, and to export spans if they are wanted; end the process if they can't be."""
    logs.configure(service, settings.log_level, settings.log_form)
    export_build(service, settings.revision)
    export_certificates(settings)
    if settings.log_requests:
        request_log.start(service if settings.log_form is Form.JSON else None)
    try:
        export_spans(service)
    except CannotExport as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from error
