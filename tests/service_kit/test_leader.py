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
from service_kit.nats.leader import LeaderSilent, asking_leader_of


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
        NotFoundError(404, "stream not found", 10059),
        BucketNotFoundError(),
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
