"""Where jobs are written down: one document, so that all replicas know of each."""

from dataclasses import asdict
from typing import Any

from query.maintenance.jobs.job import Job, JobKind, JobReport, JobState
from query.maintenance.switchover import HOLDER_LEASE_S, NotPossible
from query.storage.client import COMMAND_READ_TIMEOUT_S, Database, store_call
from query.views.merge import Document

COLLECTION = "jobs"
JOBS_ID = "jobs"
JOBS_MAX = 10
"""Those that are remembered, the newest first."""

IS_ALIVE = {"$gt": ["$beat_at", {"$subtract": ["$$NOW", int(HOLDER_LEASE_S * 1000)]}]}
IS_RUNNING = {
    "$and": [
        {"$eq": [{"$arrayElemAt": ["$jobs.state", 0]}, JobState.RUNNING.value]},
        IS_ALIVE,
    ]
}


class JobRunning(Exception):
    """Another job is running: there is one at a time."""


class JobStore:
    """The last jobs, in a database. Each method raises StoreUnavailable if it can't do it now.

    A job is alive for as long as its process says so every few seconds, by the server's clock.
    """

    def __init__(self, database: Database) -> None:
        self._jobs = database[COLLECTION]

    async def claim(self, kind: JobKind, by: str) -> Job:
        """Begin a job. Raises JobRunning while another one is alive."""
        new = {
            "number": {"$add": ["$last", 1]},
            "kind": kind.value,
            "by": {"$literal": by},
            "state": JobState.RUNNING.value,
            "began_at": "$$NOW",
            "ended_at": None,
            "report": {"$literal": asdict(JobReport())},
            "outcome": None,
            "consent": None,
        }
        begun = {
            "last": {"$add": ["$last", 1]},
            "beat_at": "$$NOW",
            "jobs": {"$slice": [{"$concatArrays": [[new], "$jobs"]}, JOBS_MAX]},
        }
        async with store_call(COMMAND_READ_TIMEOUT_S):
            await self._jobs.update_one(
                {"_id": JOBS_ID}, {"$setOnInsert": {"last": 0, "jobs": []}}, upsert=True
            )
            claimed = await self._jobs.find_one_and_update(
                {"_id": JOBS_ID, "$expr": {"$not": [IS_RUNNING]}},
                [{"$set": begun}],
                return_document=True,
            )
        if claimed is None:
            raise JobRunning
        return Job.of(claimed["jobs"][0], is_running=True)

    async def beat(self, number: int, report: JobReport) -> None:
        """Say that the job is alive, and how far it is. Raises NotPossible if another was begun."""
        await self._write(number, {"report": asdict(report)}, {"beat_at": True})

    async def end(
        self,
        number: int,
        state: JobState,
        report: JobReport,
        outcome: str,
        *,
        consent: int | None = None,
    ) -> None:
        """Write down what the job has come to. Raises NotPossible if another was begun."""
        ended = {
            "state": state.value,
            "report": asdict(report),
            "outcome": outcome,
            "consent": consent,
        }
        await self._write(number, ended, {"jobs.0.ended_at": True})

    async def jobs(self) -> list[Job]:
        """The last ones, the newest first."""
        show: list[Document] = [{"$match": {"_id": JOBS_ID}}, {"$set": {"is_alive": IS_ALIVE}}]
        async with store_call():
            found: list[Document] = await (await self._jobs.aggregate(show)).to_list()
        if not found:
            return []
        jobs, is_alive = found[0]["jobs"], found[0].get("is_alive", False)
        return [Job.of(each, is_running=is_alive and place == 0) for place, each in enumerate(jobs)]

    async def _write(self, number: int, news: dict[str, Any], times: dict[str, bool]) -> None:
        async with store_call(COMMAND_READ_TIMEOUT_S):
            result = await self._jobs.update_one(
                {"_id": JOBS_ID, "jobs.0.number": number},
                {
                    "$set": {f"jobs.0.{name}": value for name, value in news.items()},
                    "$currentDate": times,
                },
            )
        if not result.matched_count:
            raise NotPossible("It was taken to be dead, and another job was begun.")
