"""One order is one trace: from the till's request to the view, through all three services."""

from collections.abc import Iterator

import httpx
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant, lines
from tests.support.otlp import Receiver, receiving
from tests.support.tokens import bearer

pytestmark = pytest.mark.xdist_group("traces")

TRACE_ID, TILLS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{TILLS_SPAN}-01"
PHONE = "+39055019987654"

PLACED = """
ordering: POST /v1/restaurants/{restaurant}/orders
  ordering: transaction
    ordering: publish orders
      query: process ORDERS/query
      serving: process ORDERS/serving
        serving: publish TICKETS
          query: process TICKETS/query
""".strip()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced_stack(receiver: Receiver) -> Iterator[Stack]:
    """The system, whose services export their spans, a few times a second."""
    with pytest.MonkeyPatch.context() as patch, temporary_folder() as folder:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        with Stack(folder, environment={}) as stack:
            yield stack


def test_the_callers_span_is_the_root_of_all_that_an_order_leads_to(
    traced_stack: Stack, receiver: Receiver
) -> None:
    restaurant = Restaurant(traced_stack)
    body = {"channel": "takeaway", "customer": "Ada", "phone": PHONE, "lines": lines()}
    headers = bearer(issuer=traced_stack.issuer)
    order = httpx.post(
        restaurant.url("ordering", "/orders"),
        json=body,
        headers={**headers, "traceparent": TRACEPARENT},
    ).raise_for_status()
    restaurant.shows(order.json(), "placed")

    restaurant.until(lambda: len(receiver.tree(TRACE_ID)) >= len(PLACED.splitlines()))

    assert "\n".join(receiver.tree(TRACE_ID)) == PLACED
    of_it = [span for span in receiver.spans if span.trace_id == TRACE_ID]
    request = next(span for span in of_it if span.name.startswith("POST"))
    assert request.parent_id == TILLS_SPAN
    assert request.attributes["comanda.restaurant"] == restaurant.slug
    commits = [span for span in receiver.spans if span.name == "commit"]
    transaction = next(span for span in of_it if span.name == "transaction")
    assert any(transaction.span_id in span.links for span in commits)
    batches = {span.span_id for span in receiver.spans if span.name.endswith(" batch")}
    processed = [span for span in of_it if span.name.startswith("process")]
    assert all(batches.issuperset(span.links) and span.links for span in processed)
    secrets = (PHONE.removeprefix("+"), headers["Authorization"].rpartition(".")[2])
    assert not [each for each in secrets for body in receiver.bodies if each.encode() in body]
