"""Questions to a leader in JetStream: that it is silent is said in the same words everywhere."""

import contextlib
from collections.abc import Iterator

from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

NOT_AVAILABLE = (None, 10008)
"""Error codes of JetStream that tell nothing: nobody responded, or who did is cut off himself."""


class LeaderSilent(Exception):
    """There was no answer in time, or nobody to give one; the text names whose leader was asked."""


@contextlib.contextmanager
def asking_leader_of(name: str) -> Iterator[None]:
    """Raise LeaderSilent if a question that is asked in this block is not answered.

    `name` is that of a stream, or a consumer's, such as `ORDERS/serving`. An answer that is an
    error is none of this, and raised as it is.
    """
    try:
        yield
    except (TimeoutError, NatsError) as error:
        if not _is_silence(error):
            raise
        raise LeaderSilent(f"no word from the leader of {name}") from error


def _is_silence(error: Exception) -> bool:
    if isinstance(error, ServiceUnavailableError):
        return error.err_code in NOT_AVAILABLE
    return isinstance(error, NoStreamResponseError) or not isinstance(error, JetStreamError)
