"""A job: what an operator has asked for, how far it is, and what it has come to."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from query.maintenance.backfill import BackfillProgress
from query.maintenance.comparison import Comparison
from query.maintenance.inspection import Difference

FINDINGS_MAX = 50
"""Documents of a job that are named."""
FIELDS_MAX = 8
"""Of one document."""


class JobKind(StrEnum):
    """The commands that are jobs over HTTP."""

    AUDIT = "audit"
    REBUILD = "rebuild"
    ROLLBACK = "rollback"
    ABANDON = "abandon"
    DROP = "drop"


class JobState(StrEnum):
    """Where a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process ended before it did."""


@dataclass(slots=True)
class JobReport:
    """What a job has to say of itself. It changes while the job goes on.

    Of documents that differ it has the paths and not what is there: no guest's name gets into it.
    """

    messages: int = 0
    messages_total: int | None = None
    documents: int = 0
    differences: int = 0
    repaired: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)

    def on_backfill(self, progress: BackfillProgress) -> None:
        """Take over how many messages are read."""
        self.messages, self.messages_total = progress.done, progress.total

    def on_comparison(self, comparison: Comparison) -> None:
        """Take over how many documents are compared, and which differ."""
        self.documents = comparison.documents
        self.differences = comparison.deviations.total()
        self.findings = [
            {"document": name, "defect": str(deviation), "is_repaired": False, "fields": []}
            for deviation, name in comparison.samples[:FINDINGS_MAX]
        ]

    def add(self, difference: Difference, *, is_repaired: bool) -> None:
        """Take over what an audit found; of a document that it gives again the last word counts."""
        document = f"{difference.kind.name}/{difference.key}"
        known = next((each for each in self.findings if each["document"] == document), None)
        if known:
            known["is_repaired"] = is_repaired
        elif len(self.findings) < FINDINGS_MAX:
            fields = [path for path, _, _ in difference.fields[:FIELDS_MAX]]
            self.findings.append(
                {
                    "document": document,
                    "defect": str(difference.defect),
                    "is_repaired": is_repaired,
                    "fields": fields,
                }
            )


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is written down, with the names of the stored document."""

    number: int
    kind: JobKind
    by: str
    """The subject of the token by which it was asked for."""
    state: JobState
    began_at: datetime
    ended_at: datetime | None
    report: JobReport
    outcome: str | None
    """In words, once it has ended."""
    consent: int | None
    """The `yes_really` that it failed for want of."""

    @classmethod
    def of(cls, document: dict[str, Any], *, is_running: bool) -> Self:
        """The job that a document holds; one of a process that is gone is interrupted."""
        state = JobState(document["state"])
        if state is JobState.RUNNING and not is_running:
            state = JobState.INTERRUPTED
        return cls(
            number=document["number"],
            kind=JobKind(document["kind"]),
            by=document["by"],
            state=state,
            began_at=_in_utc(document["began_at"]),
            ended_at=None if (ended_at := document["ended_at"]) is None else _in_utc(ended_at),
            report=JobReport(**document["report"]),
            outcome=document["outcome"],
            consent=document["consent"],
        )


def _in_utc(at: datetime) -> datetime:
    """A time as MongoDB gives it back, with the zone that it is in."""
    return at.replace(tzinfo=UTC)
