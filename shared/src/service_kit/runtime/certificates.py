"""Until when the certificates hold that this process shows and believes."""

import math
from functools import partial
from pathlib import Path

from cryptography import x509
from prometheus_client import Gauge
from pydantic_settings import BaseSettings

ENDINGS = ("_ca", "_cert")
"""Of the settings that name a file with certificates."""

EXPIRES = Gauge(
    "comanda_certificate_expires_timestamp_seconds",
    "When the first certificate of a file expires, in seconds since the epoch, by the setting that "
    "names the file, such as nats_cert; NaN if it can't be read",
    ["file"],
)


def export_certificates(settings: BaseSettings) -> None:
    """Export it of each file that these settings name; each is read anew at every scrape."""
    for name in type(settings).model_fields:
        path = getattr(settings, name)
        if name.endswith(ENDINGS) and path:
            EXPIRES.labels(name).set_function(partial(expires_at, Path(path)))


def expires_at(file: Path) -> float:
    """When the first of the file's certificates expires; not a number if none can be read."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return math.nan
    return min(each.not_valid_after_utc.timestamp() for each in found)
