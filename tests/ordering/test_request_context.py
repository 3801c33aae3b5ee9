"""A request by its key: what makes it the same request."""

from ordering.inbound.http.request_context import RequestContext
from pydantic import BaseModel
from service_kit.access.principal import Principal


class Body(BaseModel):
    """The body of a release."""

    sku: str
    note: str | None = None


class LaterBody(Body):
    """The body of a later release, which takes a further field."""

    station: str = "kitchen"


def a_context(key: str = "till-3/117", subject: str = "luigi") -> RequestContext:
    operation = "POST /v1/restaurants/la-piazza/x"
    space = Principal(subject, None, {}, frozenset(), 0, 0, 0).key_space
    return RequestContext("la-piazza", operation, subject, space, key, None)


def test_a_field_that_a_release_adds_makes_no_other_request_of_a_repeated_one() -> None:
    sent = {"sku": "margherita"}

    first = a_context().keyed_request(Body.model_validate(sent))
    again = a_context().keyed_request(LaterBody.model_validate(sent))

    assert again == first


def test_a_field_that_is_sent_makes_another_request() -> None:
    plain = a_context().keyed_request(LaterBody.model_validate({"sku": "a"}))
    other = a_context().keyed_request(LaterBody.model_validate({"sku": "a", "station": "bar"}))

    assert other != plain


def test_a_key_is_its_subjects_own() -> None:
    luigis = a_context("17", "luigi").keyed_request(None)
    marios = a_context("17", "mario").keyed_request(None)

    assert luigis is not None
    assert marios is not None
    assert luigis.key != marios.key
    assert luigis == a_context("17", "luigi").keyed_request(None)
