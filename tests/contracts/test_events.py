"""Events on the wire: what goes out comes in, and what is no event is told apart."""

import json
import re
import uuid
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from comanda_contracts import AccessWithdrawn, Event, OrderPlaced, Unreadable, read, seal
from comanda_contracts.access import hash_of_subject
from comanda_contracts.envelope import State, rfc3339
from comanda_contracts.examples import EXAMPLES
from hypothesis import given
from hypothesis import strategies as st

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
    assert headers["ce-time"].endswith(".250000Z")
    assert headers["content-type"] == "application/json"


@every_event
def test_a_subject_ends_with_the_events_name_and_names_the_restaurant(event: Event) -> None:
    parts = event.subject.split(".")

    assert (parts[1], parts[2], parts[-1]) == ("v1", "la-piazza", event.leaf)
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


INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
ROME = timezone(timedelta(hours=2))


def times(schema: Any, value: Any, whole: Any) -> list[str]:
    """The texts in a body that its schema says are points in time."""
    if "$ref" in schema:
        return times(whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, whole)
    found = [value] if schema.get("format") == "date-time" and value is not None else []
    for each in schema.get("anyOf", []):
        found += times(each, value, whole)
    for name, field in schema.get("properties", {}).items() if isinstance(value, dict) else ():
        found += times(field, value.get(name), whole)
    for each in value if isinstance(value, list) else ():
        found += times(schema.get("items", {}), each, whole)
    return found


@every_event
def test_times_are_written_in_one_format_that_sorts(event: Event) -> None:
    """Those of a whole second and of another zone, too."""
    (of_state,) = (
        name
        for name in type(event).model_fields
        if name not in Event.model_fields and isinstance(getattr(event, name), State)
    )
    state = type(event.state).model_validate(
        {
            name: value.replace(microsecond=0).astimezone(ROME)
            if isinstance(value, datetime)
            else value
            for name, value in event.state.model_dump().items()
        }
    )
    late = event.model_copy(update={"at": event.at.replace(microsecond=0), of_state: state})

    message = seal(late, event_id=uuid.uuid4())

    body = json.loads(message.body)
    schema = type(event).model_json_schema(mode="serialization")
    written = [*times(schema, body, schema), message.headers["ce-time"]]
    assert [each for each in written if not re.fullmatch(INSTANT, each)] == []
    assert body["at"] == message.headers["ce-time"]
    assert read(message.headers, message.body) == late


@given(st.lists(st.datetimes(timezones=st.sampled_from([UTC, ROME])), min_size=2))
def test_written_times_sort_as_they_are(instants: list[datetime]) -> None:
    instants = [each for each in instants if MINYEAR < each.year < MAXYEAR]

    assert sorted(map(rfc3339, instants)) == [rfc3339(each) for each in sorted(instants)]


def test_a_time_that_utc_can_not_express_is_written_all_the_same() -> None:
    late = datetime(MAXYEAR, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12)))

    assert datetime.fromisoformat(rfc3339(late)) == late


@pytest.mark.parametrize(
    "text",
    ["2026-05-04T18:30:00Z", "2026-05-04t18:30:00.0z", "2026-05-04T20:30:00.000000000+02:00"],
)
def test_any_rfc3339_is_read(text: str) -> None:
    (placed,) = (each for each in EXAMPLES if isinstance(each, OrderPlaced))
    message = seal(placed, event_id=uuid.uuid4())
    body = json.loads(message.body) | {"at": text}

    at = read(message.headers, json.dumps(body).encode()).at

    assert rfc3339(at) == "2026-05-04T18:30:00.000000Z"


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
