"""Audits, rebuilds and rollbacks over HTTP: begun by one request, and looked at by others."""

from typing import Annotated, Any, Literal, assert_never

from comanda_contracts.envelope import Instant
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from service_kit.access.needs import reach_of
from service_kit.http.openapi import Examples
from service_kit.http.problems import (
    ProblemError,
    invalid_request,
    malformed_json,
    problem_responses,
    unsupported_media_type,
)
from service_kit.http.response_headers import sent_with
from service_kit.operate.connection import OperatorConnection, not_operable
from service_kit.operate.letters import OPERATE_PREFIX, OPERATOR, TAG
from service_kit.operate.schema import HIGHEST

from query.api.http.responses import from_store, store_unavailable
from query.maintenance.failures import FAILURES
from query.maintenance.jobs import works
from query.maintenance.jobs.job import Job, JobKind, JobState
from query.maintenance.jobs.runner import JobRunner, Work
from query.maintenance.jobs.store import JobRunning, JobStore
from query.storage.client import Database

STALL_TIMEOUT_S, STALL_TIMEOUT_S_MAX = 10.0, 600.0

Documents = Annotated[
    int,
    Field(
        ge=0,
        le=HIGHEST,
        description="destroy so many documents at most although the streams do not explain it",
    ),
]
JobNumber = Annotated[int, Path(ge=1, le=HIGHEST, examples=[7])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Audit(_Body):
    """Compare the views with all that ordering and serving published, document by document."""

    kind: Literal[JobKind.AUDIT]
    repair: bool = Field(False, description="the documents that differ, and no others")
    patience_s: float = Field(
        STALL_TIMEOUT_S,
        ge=0,
        le=STALL_TIMEOUT_S_MAX,
        description="seconds that projectors may stand still while they are waited for",
    )
    yes_really: Documents = 0


class Rebuild(_Body):
    """Fill new views from the streams beside the live ones, compare them, and change over."""

    kind: Literal[JobKind.REBUILD]
    yes_really: Documents = 0


class Rollback(_Body):
    """Bring the views that were live before up to date, compare them, and change back."""

    kind: Literal[JobKind.ROLLBACK]
    yes_really: Documents = 0


class Abandon(_Body):
    """Give up a rebuild or rollback that was interrupted or refused."""

    kind: Literal[JobKind.ABANDON]


class Drop(_Body):
    """Drop the previous generation; there is nothing to roll back to then."""

    kind: Literal[JobKind.DROP]


JobRequest = Annotated[Audit | Rebuild | Rollback | Abandon | Drop, Field(discriminator="kind")]


class Finding(BaseModel):
    """A document that differs."""

    document: str = Field(description="its collection and id", examples=["orders/01968f6e-…"])
    defect: str = Field(description="how it differs", examples=["missing"])
    is_repaired: bool
    fields: list[str] = Field(description="the paths that differ, the first eight")


class JobStatus(BaseModel):
    """A job, how far it is, and what it has come to."""

    number: int = Field(examples=[7])
    kind: JobKind
    state: JobState = Field(
        description="`running`, `done`, `failed`, or `interrupted` where its process ended first"
    )
    by: str = Field(description="the subject of the token by which it was asked for")
    began_at: Instant
    ended_at: Instant | None
    messages: int = Field(description="read so far")
    messages_total: int | None = Field(description="to be read; null where that is not known")
    documents: int = Field(description="compared so far")
    differences: int
    repaired: int
    findings: list[Finding] = Field(description="the documents that differ, the first fifty")
    outcome: str | None = Field(description="in words, once it has ended")
    consent: int | None = Field(
        description="the `yes_really` that it failed for want of: so many documents would be "
        "destroyed that nothing explains; else null"
    )


class JobList(BaseModel):
    """The last ten jobs, the newest first."""

    jobs: list[JobStatus]


_DONE: dict[str, Any] = {
    "number": 7,
    "kind": "audit",
    "state": "done",
    "by": "olga@example.com",
    "began_at": "2026-05-04T19:30:00.000000Z",
    "ended_at": "2026-05-04T19:31:12.000000Z",
    "messages": 120_340,
    "messages_total": None,
    "documents": 20_117,
    "differences": 1,
    "repaired": 1,
    "findings": [
        {
            "document": "orders/01968f6e-3c00-7000-8000-000000000001",
            "defect": "altered",
            "is_repaired": True,
            "fields": ["order.total"],
        }
    ],
    "outcome": "120,340 events and 20,117 documents compared, 1 differences, 1 repaired.",
    "consent": None,
}
_BEGUN = _DONE | {
    "state": "running",
    "ended_at": None,
    "messages": 0,
    "documents": 0,
    "differences": 0,
    "repaired": 0,
    "findings": [],
    "outcome": None,
}
JOB_EXAMPLES: Examples = {
    Audit: {
        "an audit that repairs": {
            "kind": "audit",
            "repair": True,
            "patience_s": 10.0,
            "yes_really": 0,
        },
        "a rebuild": {"kind": "rebuild", "yes_really": 0},
        "a rollback": {"kind": "rollback", "yes_really": 0},
        "giving up": {"kind": "abandon"},
        "dropping": {"kind": "drop"},
    },
    JobStatus: {"an audit that has begun": _BEGUN, "one that is done": _DONE},
    JobList: {"one that is done": {"jobs": [_DONE]}},
}


def job_running() -> ProblemError:
    """There is one job at a time."""
    return ProblemError(409, "job-running", "Another job is running: there is one at a time.")


def unknown_job(number: int) -> ProblemError:
    """No job has this number, or it is older than the last ten."""
    return ProblemError(404, "unknown-job", f"There is no job {number} among the last ones.")


def stores_unavailable() -> ProblemError:
    """What a job needs can't be reached."""
    detail = "NATS or MongoDB does not answer now, or does not let the operator's user do this."
    return ProblemError(503, "store-unavailable", detail, headers={"Retry-After": "1"})


_INVALID = {"loc": ("body", "kind"), "type": "literal_error", "msg": "Input should be 'audit'"}
_CHANGE = (
    invalid_request([_INVALID], None),
    malformed_json(),
    unsupported_media_type(),
    not_operable(),
    stores_unavailable(),
    job_running(),
)


_BEGUN_RESPONSES: dict[int | str, dict[str, Any]] = {202: sent_with("Location")}


# decision/0074: what takes an operator long is a job
def job_routes(operator: OperatorConnection, runner: JobRunner, database: Database) -> APIRouter:
    """The routes. Jobs are begun by the runner, and read from the database of the views."""
    router = APIRouter(prefix=f"{OPERATE_PREFIX}/jobs", tags=[TAG], dependencies=[OPERATOR])
    store = JobStore(database)

    @router.post(
        "",
        operation_id="beginJob",
        status_code=202,
        responses=_BEGUN_RESPONSES | problem_responses(*_CHANGE),
    )
    async def begin_job(wanted: JobRequest, request: Request, response: Response) -> JobStatus:
        """Audit, rebuild or roll back: as the commands of these names, and refused as they are.

        It goes on whether or not anybody asks how far it is. There is one at a time, of all
        replicas.
        """
        operator.servers  # noqa: B018 - raises where nobody is the operator
        by = reach_of(request).principal.subject
        try:
            job = await runner.begin(wanted.kind, by, _work(wanted))
        except JobRunning as error:
            raise job_running() from error
        except FAILURES as error:
            raise stores_unavailable() from error
        response.headers["Location"] = f"{OPERATE_PREFIX}/jobs/{job.number}"
        return _shown(job)

    @router.get("", operation_id="listJobs", responses=problem_responses(store_unavailable()))
    async def list_jobs() -> JobList:
        """The last ten jobs of all replicas, the newest first."""
        return JobList(jobs=[_shown(each) for each in await from_store(store.jobs())])

    @router.get(
        "/{job}",
        operation_id="getJob",
        responses=problem_responses(
            invalid_request([_INVALID], None), store_unavailable(), unknown_job(7)
        ),
    )
    async def get_job(job: JobNumber) -> JobStatus:
        """One of them, how far it is, and what it has come to."""
        found = next((each for each in await from_store(store.jobs()) if each.number == job), None)
        if found is None:
            raise unknown_job(job)
        return _shown(found)

    return router


def _work(wanted: Audit | Rebuild | Rollback | Abandon | Drop) -> Work:
    match wanted:
        case Audit(repair=True):
            return works.repairing(wanted.patience_s, wanted.yes_really)
        case Audit():
            return works.auditing(wanted.patience_s)
        case Rebuild():
            return works.rebuilding(wanted.yes_really)
        case Rollback():
            return works.rolling_back(wanted.yes_really)
        case Abandon():
            return works.abandon
        case Drop():
            return works.drop
        case _:
            assert_never(wanted)


def _shown(job: Job) -> JobStatus:
    report = job.report
    return JobStatus(
        number=job.number,
        kind=job.kind,
        state=job.state,
        by=job.by,
        began_at=job.began_at,
        ended_at=job.ended_at,
        messages=report.messages,
        messages_total=report.messages_total,
        documents=report.documents,
        differences=report.differences,
        repaired=report.repaired,
        findings=[Finding.model_validate(each) for each in report.findings],
        outcome=job.outcome,
        consent=job.consent,
    )
