"""Why a token is refused: a word for the operators, and a coarser one for who sent it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why; the metric's label, and the word in the log."""

    MISSING = "missing"
    MALFORMED = "malformed"
    TOO_LONG = "too-long"
    WRONG_TYPE = "wrong-type"
    WRONG_ALGORITHM = "wrong-algorithm"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_AUDIENCE = "wrong-audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WITHDRAWN = "withdrawn"


TOLD = frozenset({Reason.MISSING, Reason.EXPIRED, Reason.NOT_YET_VALID, Reason.WITHDRAWN})
"""What a client is told as it is; anything else is `invalid`, which tells nothing of the keys."""


class InvalidToken(Exception):
    """There is no token, or it is no good."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason

    @property
    def told(self) -> str:
        """The word for whoever sent it."""
        return self.reason.value if self.reason in TOLD else "invalid"
