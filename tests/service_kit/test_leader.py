"""That nobody answered is said in the same words, however it showed; an answer is left as it is."""

import asyncio

import pytest
from nats.errors import ConnectionClosedError, NoRespondersError, OutboundBufferLimitError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import (
    APIError,
    BucketNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)
from service_kit.nats.leader import LeaderSilent, NotThere, asking_leader_of
from service_kit.runtime.components import WaitingFor, reason_of


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        NatsTimeoutError(),
        ConnectionClosedError(),
        NoRespondersError(),
        NoStreamResponseError(),
        OutboundBufferLimitError(),
        ServiceUnavailableError(),
        ServiceUnavailableError(503, "JetStream system temporarily unavailable", 10008),
    ],
    ids=repr,
)
def test_silence_names_whose_leader_is_silent(error: Exception) -> None:
    with pytest.raises(LeaderSilent) as silence, asking_leader_of("TICKETS"):
        raise error

    assert str(silence.value) == "no word from the leader of TICKETS"


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError(404, "no message found", 10037),
        KeyWrongLastSequenceError(),
        APIError(400, "wrong last sequence", 10071),
        ServiceUnavailableError(503, "insufficient resources", 10023),
        ValueError(),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_what_is_answered_is_raised_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, asking_leader_of("TICKETS"):
        raise error

    assert raised.value is error


@pytest.mark.parametrize(
    ("error", "name", "said"),
    [
        (NotFoundError(404, "stream not found", 10059), "ORDERS", "waiting for stream ORDERS"),
        (NotFoundError(404, "stream not found", 10059), "MENU/query", "waiting for stream MENU"),
        (NotFoundError(404, "consumer", 10014), "MENU/query", "waiting for consumer MENU/query"),
        (BucketNotFoundError(), "KV_serving", "waiting for stream KV_serving"),
    ],
)
def test_what_is_not_there_is_waited_for_and_named(
    error: NotFoundError, name: str, said: str
) -> None:
    with pytest.raises(NotThere) as raised, asking_leader_of(name):
        raise error

    assert isinstance(raised.value, WaitingFor)
    assert reason_of(raised.value) == said
