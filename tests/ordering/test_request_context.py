"""A request by its key: what makes it the same request."""

from ordering.inbound.http.request_context import RequestContext
from pydantic import BaseModel


class Body(BaseModel):
    """The body of a release."""

    sku: str
    note: str | None = None


class LaterBody(Body):
    """The body of a later release, which takes a further field."""

    station: str = "kitchen"


def a_context(key: str = "till-3/117") -> RequestContext:
    return RequestContext("la-piazza", "POST /v1/restaurants/la-piazza/x", None, key, None)


def test_a_field_that_a_release_adds_makes_no_other_request_of_a_repeated_one() -> None:
    sent = {"sku": "margherita"}

    first = a_context().keyed_request(Body.model_validate(sent))
    again = a_context().keyed_request(LaterBody.model_validate(sent))

    assert again == first


def test_a_field_that_is_sent_makes_another_request() -> None:
    plain = a_context().keyed_request(LaterBody.model_validate({"sku": "a"}))
    other = a_context().keyed_request(LaterBody.model_validate({"sku": "a", "station": "bar"}))

    assert other != plain
