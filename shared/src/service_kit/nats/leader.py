"""Questions to a leader in JetStream: that it is silent is said in the same words everywhere."""

import contextlib
from collections.abc import Iterator

from nats.errors import Error as NatsError
from nats.js.errors import (
    BucketNotFoundError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)
from nats.js.errors import Error as JetStreamError
from typing_extensions import override

from service_kit.runtime.components import WaitingFor

NOT_AVAILABLE = (None, 10008)
"""Error codes of JetStream that tell nothing: nobody responded, or who did is cut off himself."""


NO_STREAM, NO_CONSUMER = 10059, 10014
"""Error codes of JetStream."""


class NotThere(WaitingFor, NotFoundError):
    """There is no such stream or consumer, and its owner is waited for; the text says which."""

    def __init__(self, what: str, error: NotFoundError) -> None:
        WaitingFor.__init__(self, what)
        NotFoundError.__init__(self, error.code, error.description, error.err_code)

    @override
    def __str__(self) -> str:
        return WaitingFor.__str__(self)


class LeaderSilent(Exception):
    """There was no answer in time, or nobody to give one; the text names whose leader was asked."""


@contextlib.contextmanager
def asking_leader_of(name: str) -> Iterator[None]:
    """Raise LeaderSilent if a question that is asked in this block is not answered.

    `name` is that of a stream, or a consumer's, such as `ORDERS/serving`. If the answer is that
    there is no such thing NotThere is raised; any other that is an error is raised as it is.
    """
    try:
        with naming_what_is_not_there(name):
            yield
    except (TimeoutError, NatsError) as error:
        if not _is_silence(error):
            raise
        raise LeaderSilent(f"no word from the leader of {name}") from error


@contextlib.contextmanager
def naming_what_is_not_there(name: str) -> Iterator[None]:
    """Raise NotThere if there is no such stream or consumer; `name` is as above."""
    try:
        yield
    except NotThere:
        raise
    except NotFoundError as error:
        if error.err_code == NO_CONSUMER:
            raise NotThere(f"consumer {name}", error) from error
        if error.err_code == NO_STREAM or isinstance(error, BucketNotFoundError):
            raise NotThere(f"stream {name.partition('/')[0]}", error) from error
        raise


def _is_silence(error: Exception) -> bool:
    if isinstance(error, ServiceUnavailableError):
        return error.err_code in NOT_AVAILABLE
    return isinstance(error, NoStreamResponseError) or not isinstance(error, JetStreamError)
