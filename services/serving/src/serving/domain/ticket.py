"""A ticket: the kitchen's work for one round of an order, and what may happen to it.

Every decision returns an event that carries the whole ticket after it; nothing is changed in place.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

RECALL_GRACE = timedelta(minutes=15)
"""How long after it was served a round may be recalled, unless an operator says else."""

ExpectedVersion = int | Collection[int] | None
"""The version that a change is meant for, or one of several; None stands for any."""


VERSIONS_PER_RESTATEMENT = 1_000_000
"""Versions that a ticket has between two restatements of its order: more than any kitchen makes."""


def version_at_restatement(order_version: int) -> int:
    """The ticket's version when its order is restated at that version.

    It is above whatever anybody has seen, and the same wherever it is reckoned: each restatement of
    an order has a higher version than the one before.
    """
    return order_version * VERSIONS_PER_RESTATEMENT


class TicketStatus(StrEnum):
    """Where the round is on its way from the till to the guest."""

    QUEUED = "queued"
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    VOIDED = "voided"
    ABANDONED = "abandoned"


SETTLED = frozenset({TicketStatus.SERVED, TicketStatus.VOIDED, TicketStatus.ABANDONED})
"""Statuses of tickets with which the kitchen has nothing more to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a request: the token's subject and device, and the role that let it in.

    It is the actor, too, unless it named another for whom it acts.
    """

    subject: str
    role: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class TicketId:
    """Names one ticket."""

    restaurant: str
    order_id: UUID
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine:
    """How much of what to make."""

    sku: str
    name: str
    quantity: int
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The whole ticket; a new one is queued. `version` counts its events.

    `started_at`, `ready_at` and `served_at` are the times of the latest such change: a recall
    leaves them as they are. A status of a later release is a text: the kitchen is at it, nothing
    else is known, so nothing may happen to it here.
    """

    restaurant: str
    order_id: UUID
    round: int
    number: str
    channel: str
    """How the round reaches the guest, such as `takeaway`; the kitchen only repeats it."""
    table: str | None = None
    guests: int | None = None
    customer: str | None = None
    lines: tuple[TicketLine, ...]
    ordered_at: datetime
    version: int = 1
    status: TicketStatus | str = TicketStatus.QUEUED
    started_at: datetime | None = None
    ready_at: datetime | None = None
    served_at: datetime | None = None

    @property
    def id(self) -> TicketId:
        return TicketId(self.restaurant, self.order_id, self.round)

    def expect(self, version: ExpectedVersion) -> None:
        """Raise VersionMismatch unless the ticket is at this version, or at one of these."""
        allowed = (version,) if isinstance(version, int) else version
        if allowed is not None and self.version not in allowed:
            raise VersionMismatch(self, allowed)

    def start(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketStarted":
        """Begin to make it; from now on it can't be voided. Raises WrongStatus unless queued."""
        self._require("start", TicketStatus.QUEUED)
        after = self._next(status=TicketStatus.PREPARING, started_at=at)
        return TicketStarted(ticket=after, at=at, actor=actor, by=by)

    def ready(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketReady":
        """Put it on the pass; one that is still queued, such as a drink, goes there at once.

        Then nobody ever began it, and `started_at` stays as it is. Raises WrongStatus unless it is
        queued or being prepared.
        """
        self._require("finish", TicketStatus.QUEUED, TicketStatus.PREPARING)
        after = self._next(status=TicketStatus.READY, ready_at=at)
        return TicketReady(ticket=after, at=at, actor=actor, by=by)

    # decision/0067: a served round comes back within a grace, and a takeaway waits for it
    def recall(
        self,
        *,
        at: datetime,
        actor: str | None = None,
        by: Sender | None = None,
        grace: timedelta = RECALL_GRACE,
    ) -> "TicketRecalled":
        """Take it back one step: from the pass to be worked on again, from the guest to the pass.

        Raises WrongStatus unless it is ready or served, and TooLateToRecall if it was served longer
        ago than the grace.
        """
        self._require("recall", TicketStatus.READY, TicketStatus.SERVED)
        if self.status is TicketStatus.SERVED and (
            self.served_at is None or at - self.served_at > grace
        ):
            raise TooLateToRecall(self, grace)
        is_served = self.status is TicketStatus.SERVED
        after = self._next(status=TicketStatus.READY if is_served else TicketStatus.PREPARING)
        return TicketRecalled(ticket=after, at=at, actor=actor, by=by)

    def serve(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketServed":
        """Carry it to the table, or hand it over. Raises WrongStatus unless ready."""
        self._require("serve", TicketStatus.READY)
        after = self._next(status=TicketStatus.SERVED, served_at=at)
        return TicketServed(ticket=after, at=at, actor=actor, by=by)

    def void(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketVoided | TicketVoidRefused":
        """Agree not to make it, or refuse to because it was started already.

        A refusal is an event too: it makes a new version and leaves the status as it is. One that
        is voided already says so again, in case nobody heard it.
        """
        if self.status in (TicketStatus.QUEUED, TicketStatus.VOIDED):
            return TicketVoided(
                ticket=self._next(status=TicketStatus.VOIDED), at=at, actor=actor, by=by
            )
        return TicketVoidRefused(ticket=self._next(), at=at, actor=actor, by=by)

    def end(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketVoided | TicketAbandoned | TicketVoidRefused":
        """End it with its business day: void what is queued, abandon what is begun.

        One that has ended already says so again. One that was not ready any more, as it was
        recalled, has no time at which it was.
        """
        who: dict[str, Any] = {"at": at, "actor": actor, "by": by}
        match self.status:
            case TicketStatus.PREPARING:
                after = self._next(status=TicketStatus.ABANDONED, ready_at=None)
                return TicketAbandoned(ticket=after, **who)
            case TicketStatus.READY | TicketStatus.ABANDONED:
                return TicketAbandoned(ticket=self._next(status=TicketStatus.ABANDONED), **who)
            case _:
                return self.void(**who)

    def require_cancellation(self, order_version: int) -> None:
        """Raise CancellationOver if the order was restated after it asked at this version.

        A restatement asks again for what has no answer.
        """
        if self.version >= version_at_restatement(order_version + 1):
            raise CancellationOver(self)

    # decision/0066: a loss of streams is made good by restatements
    def restate(self, known: TicketStatus, *, version: int, at: datetime) -> "TicketRestated":
        """Say again what the ticket is, at this version.

        `known` is what ordering knows of it: one that is settled there is so here, if it seems to
        be open; one that is `queued` there may be further here, and stays where it is.
        """
        status = self.status if self.status in SETTLED or known is TicketStatus.QUEUED else known
        return TicketRestated(ticket=replace(self, version=version, status=status), at=at)

    # decision/0077: a guest is forgotten
    def forget(
        self, *, at: datetime, actor: str | None = None, by: Sender | None = None
    ) -> "TicketForgotten":
        """Take out whatever names the guest, or may: name and notes. It stays where it is."""
        lines = tuple(replace(each, note=None) for each in self.lines)
        return TicketForgotten(
            ticket=self._next(customer=None, lines=lines), at=at, actor=actor, by=by
        )

    def _require(self, command: str, *statuses: TicketStatus) -> None:
        if self.status not in statuses:
            raise WrongStatus(self, command)

    def _next(self, **changes: Any) -> "Ticket":
        return replace(self, version=self.version + 1, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEvent:
    """Something happened to a ticket; `ticket` is the whole of it afterwards.

    `actor` did it, sent `by` somebody; None where that is not known.
    """

    ticket: Ticket
    at: datetime
    actor: str | None = None
    by: Sender | None = None


class TicketQueued(TicketEvent):
    """The kitchen knows of the round and has not begun."""


class TicketStarted(TicketEvent):
    """A cook began."""


class TicketReady(TicketEvent):
    """The round waits on the pass."""


class TicketRecalled(TicketEvent):
    """It was not ready after all, or not served: one step back."""


class TicketServed(TicketEvent):
    """It was carried to the table, or handed over."""


class TicketVoided(TicketEvent):
    """The kitchen agreed not to make it."""


class TicketVoidRefused(TicketEvent):
    """The kitchen was asked not to make it, and had already begun."""


class TicketAbandoned(TicketEvent):
    """Its business day ended before it was served."""


class TicketRestated(TicketEvent):
    """It is as it was, and is said again: the stream lost what was said of it."""


class TicketForgotten(TicketEvent):
    """Nothing in the ticket names its guest any more; what was said before is to be erased."""


class Refusal(Exception):
    """A command can't be carried out; nothing was changed."""

    code: str


class UnknownTicket(Refusal):
    """The kitchen does not know of such a round."""

    code = "unknown-ticket"

    def __init__(self, ticket_id: TicketId) -> None:
        super().__init__(
            f"There is no ticket for round {ticket_id.round} of order {ticket_id.order_id}."
        )


class WrongStatus(Refusal):
    """The ticket is not where the command needs it to be."""

    code = "wrong-status"

    def __init__(self, ticket: Ticket, command: str) -> None:
        super().__init__(
            f"Round {ticket.round} of order {ticket.number} is {ticket.status}, "
            f"so you can't {command} it."
        )
        self.ticket = ticket


class CancellationOver(Exception):
    """What an event asks for was answered before the order was restated: nobody waits for it."""

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(
            f"Round {ticket.round} of order {ticket.number} was restated after it was asked to be "
            "cancelled."
        )


class TooLateToRecall(Refusal):
    """The ticket was served longer ago than it may be taken back."""

    code = "too-late-to-recall"

    def __init__(self, ticket: Ticket, grace: timedelta) -> None:
        super().__init__(
            f"Round {ticket.round} of order {ticket.number} was served more than "
            f"{grace.total_seconds():g} seconds ago, so you can't recall it."
        )
        self.ticket = ticket


class VersionMismatch(Refusal):
    """Somebody changed the ticket after the version that the command was meant for."""

    code = "version-mismatch"

    def __init__(self, ticket: Ticket, expected: Collection[int]) -> None:
        wanted = " or ".join(map(str, sorted(expected))) or "one that was asked for"
        super().__init__(f"The ticket is at version {ticket.version}, not {wanted}.")
        self.ticket = ticket
