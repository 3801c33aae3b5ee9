"""Which release of a service runs: its version, and the revision that it was built from."""

from importlib.metadata import version

from prometheus_client import Gauge

BUILD = Gauge(
    "comanda_build_info",
    "1, with the release that runs; a revision is known of images alone",
    ["service", "version", "revision"],
)


def export_build(service: str, revision: str) -> None:
    """Export the release of this process's service."""
    BUILD.labels(service, version(f"comanda-{service}"), revision).set(1)
