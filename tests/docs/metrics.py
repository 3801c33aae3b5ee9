"""The page of metrics: `python -m tests.docs.metrics generate` writes it as the services say it."""

import sys
from collections.abc import Iterator, Sequence

from tests.deploy.exporters import Metric, metrics_of
from tests.deploy.manifests import ROOT
from tests.deploy.programs import SERVICES

PAGE = ROOT / "docs" / "metrics.md"
HEAD = """# What is measured

This page is generated from what the services export (`make schemas`).

Each service answers Prometheus at `/metrics`, at `COMANDA_ADMIN_PORT` if there is one. A service is one process with one event loop, so that its page is the whole of it: there is no multiprocess mode, and replicas are scraped one by one. What is about a store or a stream rather than about a process (marked *of all replicas*) is the same from each replica, but for the moment of its look: take the `max`. Everything else is to be summed up.

No label is a restaurant's, an order's or a person's: each has a bound that the code sets. Nothing is asked of a store when Prometheus scrapes: a value is that of the last look of the part that looks anyway, every few seconds, or comes from memory; a certificate's file is read. What counts rows ends at a bound, and the age of the oldest comes from an index.

Besides there is what Prometheus's client tells of any process (`process_*`, `python_*`). [Alerts and dashboards](../deploy/observability/README.md) are made of these; [logs and traces](telemetry.md) say what a label can't.
"""  # noqa: E501 - a paragraph is a line
OF_ALL_REPLICAS = (
    "comanda_consumer_",
    "comanda_stream_",
    "comanda_ordering_outbox_",
    "comanda_ordering_parked_",
    "comanda_ordering_cancelling_",
    "comanda_ordering_kept_",
    "comanda_ordering_oldest_",
    "comanda_query_pending_",
    "comanda_query_archive_",
    "comanda_query_behind_",
    "comanda_query_views_foreign",
    "comanda_serving_tickets",
)
"""How the names of metrics begin that every replica tells of the same thing."""


def page() -> str:
    """The whole page, in Markdown."""
    by_service = {service: metrics_of(service) for service in SERVICES}
    shared = {each.name for each in by_service[SERVICES[0]]}.intersection(
        *({each.name for each in metrics} for metrics in by_service.values())
    )
    every = [each for each in by_service[SERVICES[0]] if each.name in shared]
    parts = [HEAD, *_table("Of every service", every)]
    for service, metrics in by_service.items():
        own = [each for each in metrics if each.name not in shared]
        parts += _table(f"Of {service}", own)
    return "\n".join(parts) + "\n"


def _table(title: str, metrics: Sequence[Metric]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for each in sorted(metrics, key=lambda metric: metric.name):
        labels = ", ".join(f"`{label}`" for label in each.labels)
        of_all = " *Of all replicas.*" if each.name.startswith(OF_ALL_REPLICAS) else ""
        yield f"| `{each.name}` | {each.type} | {labels} | {each.meaning}.{of_all} |"
    yield ""


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["generate"]:
            PAGE.write_text(page())
        case _:
            sys.exit("usage: python -m tests.docs.metrics generate")
