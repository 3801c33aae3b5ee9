"""One order is one trace: from the till's request to the view, through all three services."""

import secrets
from collections.abc import Iterator

import httpx
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant
from tests.support.otlp import ReceivedSpan, Receiver, receiving
from tests.support.tokens import bearer

pytestmark = pytest.mark.xdist_group("traces")

TILLS_SPAN = "b7ad6b7169203331"
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


def place(
    stack: Stack, restaurant: Restaurant, headers: dict[str, str], sku: str = "margherita"
) -> httpx.Response:
    ordered = [{"sku": sku, "quantity": 1}]
    body = {"channel": "takeaway", "customer": "Ada", "phone": PHONE, "lines": ordered}
    url = restaurant.url("ordering", "/orders")
    return httpx.post(url, json=body, headers=bearer(issuer=stack.issuer) | headers)


@pytest.mark.parametrize("flags", ["01", "03", None], ids=["sampled", "and random", "no caller"])
def test_one_order_is_one_trace_from_the_callers_span_on(
    flags: str | None, traced_stack: Stack, receiver: Receiver
) -> None:
    restaurant = Restaurant(traced_stack)
    trace_id = secrets.token_hex(16)
    sent = {"traceparent": f"00-{trace_id}-{TILLS_SPAN}-{flags}"} if flags else {}

    def requests() -> list[ReceivedSpan]:
        placed = "POST /v1/restaurants/{restaurant}/orders"
        ours = [each for each in receiver.spans if each.name == placed]
        return [each for each in ours if each.attributes["comanda.restaurant"] == restaurant.slug]

    order = place(traced_stack, restaurant, sent).raise_for_status().json()
    restaurant.shows(order, "placed")
    restaurant.until(lambda: len(requests()) > 0)
    (request,) = requests()
    restaurant.until(lambda: len(receiver.tree(request.trace_id)) >= len(PLACED.splitlines()))

    assert "\n".join(receiver.tree(request.trace_id)) == PLACED
    if flags:
        assert (request.trace_id, request.parent_id) == (trace_id, TILLS_SPAN)
    of_it = [span for span in receiver.spans if span.trace_id == request.trace_id]
    assert not [span for span in of_it if span.failed]
    transaction = next(span for span in of_it if span.name == "transaction")
    assert any(transaction.span_id in span.links for span in receiver.spans)
    processed = [span for span in of_it if span.name.startswith("process")]
    assert all(span.links for span in processed)
    token = bearer(issuer=traced_stack.issuer)["Authorization"]
    secret = (PHONE.removeprefix("+"), token.rpartition(".")[2])
    assert not [each for each in secret for body in receiver.bodies if each.encode() in body]


def test_a_refusal_is_no_failure(traced_stack: Stack, receiver: Receiver) -> None:
    restaurant = Restaurant(traced_stack)
    trace_id = secrets.token_hex(16)

    def spans() -> list[ReceivedSpan]:
        return [each for each in receiver.spans if each.trace_id == trace_id]

    sent = {"traceparent": f"00-{trace_id}-{TILLS_SPAN}-01"}
    refused = place(traced_stack, restaurant, sent, sku="nothing-of-ours")
    restaurant.until(lambda: len(spans()) == 2)

    assert refused.is_client_error
    assert not [each for each in spans() if each.failed]
