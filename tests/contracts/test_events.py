"""Events on the wire: what goes out comes in, and what is no event is told apart."""

import json
import re
import uuid

import pytest
from comanda_contracts import AccessWithdrawn, Event, OrderPlaced, Unreadable, read, seal
from comanda_contracts.access import hash_of_subject
from comanda_contracts.examples import EXAMPLES

every_event = pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)


@every_event
def test_what_is_sealed_is_read_again(event: Event) -> None:
    message = seal(event, event_id=uuid.uuid4())

    assert read(message.headers, message.body) == event


@every_event
def test_the_headers_are_cloudevents_in_binary_mode(event: Event) -> None:
    event_id = uuid.uuid4()

    headers = seal(event, event_id=event_id).headers

    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-id"] == headers["Nats-Msg-Id"] == str(event_id)
    assert headers["ce-type"] == event.TYPE
    assert headers["ce-source"].startswith("/comanda/")
    assert headers["ce-time"].startswith("2026-05-04T")
    assert headers["ce-time"].endswith(".250Z")
    assert headers["content-type"] == "application/json"


@every_event
def test_a_subject_ends_with_the_events_name_and_names_the_restaurant(event: Event) -> None:
    parts = event.subject.split(".")

    assert (parts[1], parts[2], parts[-1]) == ("v1", "la-piazza", event.name)
    assert event.name in event.TYPE


def test_a_withdrawal_names_nobody() -> None:
    (withdrawn,) = (each for each in EXAMPLES if isinstance(each, AccessWithdrawn))

    message = seal(withdrawn, event_id=uuid.uuid4())

    # printf luigi@example.com | openssl dgst -sha256 -binary | basenc --base64url
    assert message.subject.split(".")[3] == hash_of_subject("luigi@example.com")
    assert hash_of_subject("luigi@example.com") == "Hq9lTOYukJMduOV1KV39K1AkBbZNQVsI4UYuFcgZNQA"
    assert b"luigi" not in message.body


@every_event
def test_an_event_of_before_there_were_senders_is_read(event: Event) -> None:
    message = seal(event, event_id=uuid.uuid4())
    body = json.loads(message.body)
    del body["by"]

    assert read(message.headers, json.dumps(body).encode()) == event.model_copy(update={"by": None})


@every_event
def test_a_field_that_a_later_version_adds_does_not_disturb(event: Event) -> None:
    message = seal(event, event_id=uuid.uuid4())
    body = json.loads(message.body) | {"added_later": 1}

    assert read(message.headers, json.dumps(body).encode()) == event


@every_event
def test_a_value_that_a_later_version_adds_is_read_and_written_as_it_is(event: Event) -> None:
    message = seal(event, event_id=uuid.uuid4())
    body = re.sub(rb'"(channel|status)":"\w+"', rb'"\1":"delivery"', message.body)

    later = read(message.headers, body)

    assert json.loads(seal(later, event_id=uuid.uuid4()).body) == json.loads(body)


@pytest.mark.parametrize("value", [1, None, [], {"status": "open"}])
def test_a_status_that_is_no_text_is_unreadable(value: object) -> None:
    (placed,) = (each for each in EXAMPLES if isinstance(each, OrderPlaced))
    message = seal(placed, event_id=uuid.uuid4())
    body = json.loads(message.body)
    body["order"]["status"] = value

    with pytest.raises(Unreadable, match=r"order\.status"):
        read(message.headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (None, b"{}", "ce-type is missing"),
        ({"ce-type": "comanda.order.eaten.v1"}, b"{}", "'comanda.order.eaten.v1' is not known"),
        ({"ce-type": "comanda.order.placed.v1"}, b"{}", "order: Field required"),
        ({"ce-type": "comanda.order.placed.v1"}, b"\xff", "body: Invalid JSON"),
    ],
)
def test_what_is_no_event_is_unreadable_for_a_reason(
    headers: dict[str, str] | None, body: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(headers, body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 0),
        ("version", 2**53),
        ("round", 0),
        ("round", -1),
        ("quantity", 0),
        ("quantity", 2**53),
        ("guests", 0),
        ("total", -1),
        ("unit_price", 2**53),
    ],
)
def test_a_number_that_can_not_be_is_unreadable(name: str, value: int) -> None:
    (placed,) = (each for each in EXAMPLES if isinstance(each, OrderPlaced))
    message = seal(placed, event_id=uuid.uuid4())
    body, count = re.subn(rf'"{name}":\d+', f'"{name}":{value}', message.body.decode())

    assert count
    with pytest.raises(Unreadable, match=name):
        read(message.headers, body.encode())
