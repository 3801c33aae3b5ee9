"""How far the board's estimates are off: asked for while guests wait, judged when it is ready."""

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

from comanda_local.api import Api, Json, Refusal

Moment = Literal["placed", "begun"]

ASK_EVERY = 0.1
"""Seconds at least between two questions about the same moment: what asking may cost is bounded."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An estimate and what came true, both in seconds."""

    error: float
    """How much later than in truth it said that the round would be ready."""
    wait: float
    """How long it really was from the question until the round was ready."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far some estimates were off, in seconds."""

    count: int
    off: float
    """Mean absolute error."""
    bias: float
    """Mean error; above zero they said later than in truth."""
    wait: float
    """Mean of the true waits."""

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> "Accuracy | None":
        """None of none."""
        if not judged:
            return None
        errors = [each.error for each in judged]
        return cls(
            len(judged), fmean(map(abs, errors)), fmean(errors), fmean(each.wait for each in judged)
        )


class Estimates:
    """Asks the board about orders that were just placed or begun."""

    def __init__(self, api: Api, restaurant: str, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._restaurant = restaurant
        self._tasks = tasks
        self._asked_last: dict[Moment, float] = defaultdict(float)
        self._said: dict[tuple[Moment, UUID], tuple[datetime, datetime]] = {}
        self.judged: dict[Moment, list[Judged]] = {"placed": [], "begun": []}

    def ask(self, moment: Moment, order_id: UUID) -> None:
        """Ask in the background when the order will be ready, unless it was asked just before."""
        now = time.monotonic()
        if now - self._asked_last[moment] >= ASK_EVERY:
            self._asked_last[moment] = now
            self._tasks.create_task(self._ask(moment, order_id))

    def ready(self, order_id: UUID) -> None:
        """All of the order is ready now."""
        now = datetime.now(UTC)
        for moment, judged in self.judged.items():
            if said := self._said.pop((moment, order_id), None):
                asked_at, estimate = said
                error, wait = (estimate - now), (now - asked_at)
                judged.append(Judged(error.total_seconds(), wait.total_seconds()))

    async def _ask(self, moment: Moment, order_id: UUID) -> None:
        asked_at = datetime.now(UTC)
        try:
            board = await self._api.board(self._restaurant)
        except (Refusal, httpx.TransportError):
            return  # then there is nothing to judge
        for order in board["preparing"]:
            if order["order_id"] == str(order_id) and _tells(moment, order):
                estimate = datetime.fromisoformat(order["estimated_ready_at"])
                self._said[moment, order_id] = (asked_at, estimate)


def _tells(moment: Moment, order: Json) -> bool:
    """Whether there is an estimate, made when the order was known to wait or to be begun."""
    is_begun = order["position"] is None
    return order["estimated_ready_at"] is not None and is_begun is (moment == "begun")
