"""The error of the board's estimates: read while guests wait, judged when the order is ready."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Literal
from uuid import UUID

import httpx

from comanda_local.api import Api, Json, RefusedRequest

Stage = Literal["placed", "begun"]

BOARD_POLL_INTERVAL_S = 0.1
"""Seconds at least between two requests at the same stage, which bounds their cost."""


@dataclass(frozen=True, slots=True)
class JudgedEstimate:
    """An estimate and what came true, both in seconds."""

    error: float
    """How much later than the truth the estimate was."""
    wait: float
    """The true time from the request until the round was ready."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The error of some estimates, in seconds."""

    count: int
    off: float
    """Mean absolute error."""
    bias: float
    """Mean error; positive if they were later than the truth."""
    wait: float
    """Mean of the true waits."""

    @classmethod
    def of(cls, judged: Sequence[JudgedEstimate]) -> "Accuracy | None":
        """The accuracy; None without an estimate."""
        if not judged:
            return None
        errors = [each.error for each in judged]
        return cls(
            len(judged), fmean(map(abs, errors)), fmean(errors), fmean(each.wait for each in judged)
        )


class EstimateProbe:
    """Reads the board's estimates of orders that were just placed or begun."""

    def __init__(self, api: Api, restaurant: str, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._restaurant = restaurant
        self._tasks = tasks
        self._last_asked_s: dict[Stage, float] = defaultdict(float)
        self._estimates: dict[tuple[Stage, UUID], tuple[datetime, datetime]] = {}
        self.judged: dict[Stage, list[JudgedEstimate]] = {"placed": [], "begun": []}

    def ask(self, stage: Stage, order_id: UUID) -> None:
        """Ask in the background when the order will be ready, unless it was asked just before."""
        now = time.monotonic()
        if now - self._last_asked_s[stage] >= BOARD_POLL_INTERVAL_S:
            self._last_asked_s[stage] = now
            self._tasks.create_task(self._ask(stage, order_id))

    def ready(self, order_id: UUID) -> None:
        """All of the order is ready now."""
        now = datetime.now(UTC)
        for stage, judged in self.judged.items():
            if estimate_made := self._estimates.pop((stage, order_id), None):
                asked_at, estimate = estimate_made
                error, wait = (estimate - now), (now - asked_at)
                judged.append(JudgedEstimate(error.total_seconds(), wait.total_seconds()))

    async def _ask(self, stage: Stage, order_id: UUID) -> None:
        asked_at = datetime.now(UTC)
        try:
            board = await self._api.board(self._restaurant)
        except (RefusedRequest, httpx.TransportError):
            return  # then there is nothing to judge
        for order in board["preparing"]:
            if order["order_id"] == str(order_id) and _has_estimate(stage, order):
                estimate = datetime.fromisoformat(order["estimated_ready_at"])
                self._estimates[stage, order_id] = (asked_at, estimate)


def _has_estimate(stage: Stage, order: Json) -> bool:
    """Whether the board has an estimate that was made at this stage."""
    is_begun = order["position"] is None
    return order["estimated_ready_at"] is not None and is_begun is (stage == "begun")
