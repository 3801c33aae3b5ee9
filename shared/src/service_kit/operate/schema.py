"""The bodies of `/v1/operate`, as sent and as answered."""

from typing import Annotated, Literal

from comanda_contracts.envelope import Instant
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CHOSEN_MAX = 100
"""Letters or events that one request is about at most."""
REASON_LENGTH_MAX = 200
HIGHEST = 2**63 - 1

Number = Annotated[int, Field(ge=1, le=HIGHEST)]
REASON_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""No control characters, which no reason has and PostgreSQL takes in no text."""
ReasonText = Annotated[str, StringConstraints(max_length=REASON_LENGTH_MAX, pattern=REASON_PATTERN)]


class Paging(BaseModel):
    """The parameters of a list; one that is none of them is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText = Field(
        "", description="those whose reason begins so", examples=["unknown-type"]
    )
    after: int = Field(0, ge=0, le=HIGHEST, description="`next` of the page before", examples=[41])
    limit: int = Field(50, ge=1, le=CHOSEN_MAX, description="of a page at most", examples=[20])


class _Continued(BaseModel):
    """Many are gone through in portions: an answer with `next` is to be asked for again."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=HIGHEST, description="`next` of the answer before")


class ByNumber(_Continued):
    """Those of these numbers."""

    numbers: list[Number] = Field(min_length=1, max_length=CHOSEN_MAX, examples=[[42]])


class ByReason(_Continued):
    """All whose reason begins so."""

    reason: Annotated[ReasonText, StringConstraints(min_length=1)] = Field(
        examples=["unknown-type"]
    )


class Every(_Continued):
    """All of this service."""

    every: Literal[True]


Selection = ByNumber | ByReason | Every


class DeadLetter(BaseModel):
    """A message that was set aside. Whatever it says was said by a stranger."""

    number: int = Field(examples=[42])
    since: Instant | None = Field(description="when it was set aside")
    stream: str = Field(description="that it came from", examples=["ORDERS"])
    sequence: int = Field(description="its own there; 0 if that is not known", examples=[8117])
    subject: str = Field(examples=["orders.v1.la-piazza.01968f6e.placed"])
    reason: str = Field(description="why it could not be read or carried out then")


class DeadLetterDetails(DeadLetter):
    """A dead letter as a whole."""

    headers: dict[str, str]
    body: str = Field(description="as text, with what is none replaced")


class DeadLetters(BaseModel):
    """A page of the service's dead letters, oldest first."""

    letters: list[DeadLetter]
    next: int | None = Field(description="`after` of the next page; null on the last")


class Outcome(BaseModel):
    """The end that one of those that were meant has come to."""

    number: int = Field(examples=[42])
    is_done: bool
    reason: str | None = Field(description="why it was not done; null if it was")


class LetterOutcomes(BaseModel):
    """The end that each has come to, in the order in which they were gone through."""

    outcomes: list[Outcome]
    next: int | None = Field(description="`after` of the next request; null if there is no more")


class ConsumerLag(BaseModel):
    """How far the service is behind a stream."""

    stream: str = Field(examples=["ORDERS"])
    durable: str = Field(examples=["serving"])
    behind: int | None = Field(description="messages that it has not done; null if not known")
    unsettled: int | None = Field(description="those of them that it was given")


class OperateStatus(BaseModel):
    """The service as its health page has it, and what waits."""

    service: str = Field(examples=["serving"])
    status: str = Field(description="`ready`, `degraded`, `not ready` or `leaving`")
    components: dict[str, str] = Field(description="the state of each: `ready`, or what is wrong")
    consumers: list[ConsumerLag]
    dead_letters: int | None = Field(
        description="that this service set aside; null if that is not known now"
    )
