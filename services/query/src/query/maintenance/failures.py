"""Why what an operator asked for was not done, in a line for people."""

import nats.errors
from pymongo.errors import PyMongoError

from query.maintenance.switchover import NotPossible
from query.views.ports import StoreUnavailable

REFUSAL_LENGTH_MAX = 300

FAILURES = (NotPossible, StoreUnavailable, PyMongoError, nats.errors.Error, TimeoutError, OSError)
"""What is to be expected: anything else is a fault of ours."""


def in_plain_words(failure: Exception) -> str:
    """What one of `FAILURES` says to a person: which server it is, if it is one."""
    match failure:
        case NotPossible():
            return str(failure)
        case StoreUnavailable():
            return f"MongoDB does not answer: {failure}"
        case PyMongoError():
            return f"MongoDB refuses: {' '.join(str(failure).split())[:REFUSAL_LENGTH_MAX]}"
        case _:
            return f"NATS does not answer: {type(failure).__name__} {failure}"
