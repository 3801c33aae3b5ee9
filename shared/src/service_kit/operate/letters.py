"""Dead letters over HTTP: listed, shown, replayed and discarded, as by the command."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import nats.errors
from fastapi import APIRouter, Path, Query
from nats.js import JetStreamContext
from pydantic import StringConstraints

from service_kit.access.needs import needs_everywhere
from service_kit.access.roles import Role
from service_kit.http.problems import (
    ProblemError,
    invalid_request,
    malformed_json,
    problem_responses,
    unsupported_media_type,
)
from service_kit.nats.broker import Broker
from service_kit.nats.letter_box import (
    Letter,
    NoSuchLetter,
    NotNow,
    discard,
    letters,
    replay,
)
from service_kit.nats.letter_box import letter as letter_of
from service_kit.operate.connection import (
    OperatorConnection,
    ReplayingBroker,
    nats_unavailable,
    not_operable,
    silence_as_problem,
)
from service_kit.operate.schema import (
    CHOSEN_MAX,
    HIGHEST,
    ByNumber,
    ByReason,
    DeadLetter,
    DeadLetterDetails,
    DeadLetters,
    LetterOutcomes,
    Outcome,
    Paging,
    Selection,
)

OPERATE_PREFIX = "/v1/operate"
OPERATOR = needs_everywhere(Role.OPERATOR)
TAG = "Operate"
TAGS = {TAG: "What operators do and look at, with the role `operator` in every restaurant (`*`)."}
WORK_TIME_S = 10.0
"""Seconds after which a request that is about many leaves the rest to the next."""
NOT_THERE = "it is not there"

LetterNumber = Annotated[int, Path(ge=1, le=HIGHEST, examples=[42])]
Actor = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255)] | None,
    Query(
        description="subject of the token as whose commands those are carried out that no good "
        "token was seen of; without it they stay",
        examples=["luigi@example.com"],
    ),
]
Do = Callable[[Letter], Awaitable[str | None]]
"""Does to a letter what is asked for. Returns why it can't be done, if so."""


def unknown_letter(number: int) -> ProblemError:
    """The service has set aside no message of this number, or it is gone."""
    return ProblemError(404, "unknown-letter", f"There is no dead letter {number} of this service.")


_INVALID = {"loc": ("query", "limit"), "type": "less_than_equal", "msg": "Input is too large"}
READ_REFUSALS = (invalid_request([_INVALID], None), not_operable(), nats_unavailable())
CHANGE_REFUSALS = (*READ_REFUSALS, malformed_json(), unsupported_media_type())


def letter_routes(
    operator: OperatorConnection, replaying: ReplayingBroker, *, of_commands: bool = False
) -> APIRouter:
    """The routes of a service's dead letters.

    With `of_commands` a replayed letter may be a command, which is somebody's.
    """
    router = APIRouter(prefix=f"{OPERATE_PREFIX}/dead-letters", tags=[TAG], dependencies=[OPERATOR])
    _add_questions(router, operator)
    _add_changes(router, operator, replaying, of_commands=of_commands)
    return router


def named(what: str, service: str) -> str:
    """The id of an operation that every service has: `lettersOfQuery`."""
    return f"{what}{service.capitalize()}"


def _add_questions(router: APIRouter, operator: OperatorConnection) -> None:
    service = operator.service

    @router.get(
        "", operation_id=named("lettersOf", service), responses=problem_responses(*READ_REFUSALS)
    )
    async def list_dead_letters(paging: Annotated[Paging, Query()]) -> DeadLetters:
        """The messages that this service set aside, oldest first."""
        found: list[DeadLetter] = []
        portion = _Portion(paging.limit)
        async with operator.jetstream() as js:
            async for each in letters(js, service, after=paging.after):
                if portion.is_over(len(found)):
                    return DeadLetters(letters=found, next=portion.looked_at)
                portion.looked_at = each.number
                if each.reason.startswith(paging.reason):
                    found.append(DeadLetter.model_validate(_shown(each)))
        return DeadLetters(letters=found, next=None)

    @router.get(
        "/{letter}",
        operation_id=named("letterOf", service),
        responses=problem_responses(*READ_REFUSALS, unknown_letter(42)),
    )
    async def get_dead_letter(letter: LetterNumber) -> DeadLetterDetails:
        """One of them, with its headers and body."""
        async with operator.jetstream() as js:
            found = await _found(js, letter, service)
        if found is None:
            raise unknown_letter(letter)
        body = found.body.decode(errors="replace")
        return DeadLetterDetails(**_shown(found), headers=found.headers, body=body)


def _add_changes(
    router: APIRouter,
    operator: OperatorConnection,
    replaying: ReplayingBroker,
    *,
    of_commands: bool,
) -> None:
    service = operator.service

    async def replay_chosen(selection: Selection, actor: str | None) -> LetterOutcomes:
        async with operator.jetstream() as js:
            with silence_as_problem():
                async with replaying(operator.servers, actor) as broker:
                    return await _each(js, service, selection, _replaying_with(broker))

    async def replay_events(selection: Selection) -> LetterOutcomes:
        """Handle them again, as if they came now; what still fails stays."""
        return await replay_chosen(selection, None)

    async def replay_commands(selection: Selection, actor: Actor = None) -> LetterOutcomes:
        """Carry them out, as if they came now from whoever sent them; what still fails stays."""
        return await replay_chosen(selection, actor)

    router.post(
        "/replay",
        operation_id=named("replayIn", service),
        responses=problem_responses(*CHANGE_REFUSALS),
    )(replay_commands if of_commands else replay_events)

    @router.post(
        "/discard",
        operation_id=named("discardIn", service),
        responses=problem_responses(*CHANGE_REFUSALS),
    )
    async def discard_dead_letters(selection: Selection) -> LetterOutcomes:
        """Throw them away for good."""
        async with operator.jetstream() as js:

            async def throw_away(each: Letter) -> None:
                await discard(js, each)

            return await _each(js, service, selection, throw_away)


def _replaying_with(broker: Broker) -> Do:
    async def replay_one(each: Letter) -> str | None:
        try:
            return await replay(broker, each)
        except NotNow as error:
            raise nats.errors.Error(str(error)) from error

    return replay_one


async def _each(js: JetStreamContext, service: str, selection: Selection, do: Do) -> LetterOutcomes:
    """Go through those that are meant, as many as a request may be about."""
    outcomes: list[Outcome] = []
    portion = _Portion(CHOSEN_MAX)
    async for number, each in _candidates(js, service, selection):
        if portion.is_over(len(outcomes)):
            return LetterOutcomes(outcomes=outcomes, next=portion.looked_at)
        portion.looked_at = number
        if (
            isinstance(selection, ByReason)
            and each
            and not each.reason.startswith(selection.reason)
        ):
            continue
        why = await do(each) if each else NOT_THERE
        outcomes.append(Outcome(number=number, is_done=why is None, reason=why))
    return LetterOutcomes(outcomes=outcomes, next=None)


class _Portion:
    """As much as one request is about: so many letters, and what can be looked at in time."""

    def __init__(self, letters_max: int) -> None:
        self._letters_max = letters_max
        self._ends_at = time.monotonic() + WORK_TIME_S
        self.looked_at: int | None = None
        """The number of the letter that was looked at last, whether it is meant or not."""

    def is_over(self, found: int) -> bool:
        """Whether the rest, with so many found, is the next one's; each looks at one at least."""
        is_full = found >= self._letters_max or time.monotonic() > self._ends_at
        return self.looked_at is not None and is_full


async def _candidates(
    js: JetStreamContext, service: str, selection: Selection
) -> AsyncIterator[tuple[int, Letter | None]]:
    """Those that may be meant; of those of a reason all: whose it is stands in the letter."""
    if isinstance(selection, ByNumber):
        for number in sorted({each for each in selection.numbers if each > selection.after}):
            yield number, await _found(js, number, service)
    else:
        async for each in letters(js, service, after=selection.after):
            yield each.number, each


async def _found(js: JetStreamContext, number: int, service: str) -> Letter | None:
    try:
        return await letter_of(js, number, service)
    except NoSuchLetter:
        return None


def _shown(each: Letter) -> dict[str, object]:
    return {
        "number": each.number,
        "since": each.since,
        "stream": each.stream,
        "sequence": each.sequence,
        "subject": each.subject,
        "reason": each.reason,
    }
