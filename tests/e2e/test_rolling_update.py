"""Every replica is replaced by a new one under load: no request fails, and no event is lost."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import httpx
import pytest
from comanda_local import services
from comanda_local.folders import temporary_folder
from comanda_local.services import Service
from comanda_local.stack import Stack

from tests.faults.checks import outcome_of
from tests.faults.load import Load, under_load
from tests.support.tokens import bearer

pytestmark = [pytest.mark.xdist_group("rolling"), pytest.mark.timeout(600)]

ORDERS = 60
DRAIN = 8.0
"""Seconds, many times what `Endpoints` takes to hear that a replica is leaving."""
NEWS_TAKE = 0.5
"""Seconds from a look at the replicas until requests go by it: so long each gets more requests
after it was told to end."""
SENT_WHILE_ENDING_MIN = 3
"""Requests that each replica gets after it was told to end, or no request was put at risk."""
READERS = 4
LOOK_AGAIN_AFTER = 0.1
"""Seconds until a reader asks for its orders anew."""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("COMANDA_DRAIN_SECONDS", str(DRAIN))
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack


class Endpoints:
    """The replicas that are ready, as the orchestrator knows them: it asks each now and then."""

    def __init__(self, stack: Stack) -> None:
        self.ready: list[Service] = []
        self.sent: Counter[str] = Counter()
        """Requests to each replica, by its URL."""
        self.sent_while_ending: list[tuple[str, int]] = []
        """By the names of the services, of each replica that was replaced."""
        self._stack = stack
        self._all = list(stack.services.values())
        self._http = httpx.AsyncClient(trust_env=False, timeout=DRAIN / 4)

    async def keep_looking(self) -> None:
        while True:
            known = list(self._all)
            answers = await asyncio.gather(*(self._is_ready(each) for each in known))
            await asyncio.sleep(NEWS_TAKE)
            self.ready[:] = [
                each for each, is_ready in zip(known, answers, strict=True) if is_ready
            ]

    async def add(self, name: str) -> Service:
        replica = await asyncio.to_thread(self._stack.replica, name)
        self._all.append(replica)
        while replica not in self.ready:
            await asyncio.sleep(NEWS_TAKE)
        return replica

    async def replace(self, old: Service) -> int | None:
        """Start a new replica, then end the old one by SIGTERM; returns its exit code."""
        self._stack.services[old.name] = await self.add(old.name)
        before = self.sent[old.url]
        code = await asyncio.to_thread(old.stop)
        self.sent_while_ending.append((old.name, self.sent[old.url] - before))
        self._all.remove(old)
        return code

    async def roll(self, *replicas: Service) -> list[int | None]:
        """Replace one service's replicas in turn; the other services may do the same meanwhile."""
        return [await self.replace(old) for old in replicas]

    async def _is_ready(self, service: Service) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await self._http.get(f"{service.url}/health/ready")).is_success
        return False


class Guests:
    """They ask for what their tills were told last, each over a connection that is kept."""

    def __init__(self, load: Load, replicas: list[Service]) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._load = load
        self._replicas = replicas
        self._turn = itertools.count()

    async def ask(self, http: httpx.AsyncClient) -> None:
        while True:
            told = [order for orders in list(self._load.answers.values()) for order in orders]
            for order in told[-5:]:
                path = f"/v1/restaurants/{self._load.restaurant}/orders/{order.order_id}"
                await self._get(http, f"{path}?min_version={order.version}")
            await asyncio.sleep(LOOK_AGAIN_AFTER)

    async def _get(self, http: httpx.AsyncClient, path: str) -> None:
        queries = [each for each in self._replicas if each.name == "query"]
        replica = queries[next(self._turn) % len(queries)]
        self._load.sent[replica.url] += 1
        try:
            answer = await http.get(f"{replica.url}{path}")
        except httpx.TransportError as error:
            self.failures.append(f"{replica.process.name}: {error!r}")
            return
        self.answered += 1
        if answer.status_code != HTTPStatus.OK:
            self.failures.append(f"{answer.status_code}: {answer.text}")


@contextlib.asynccontextmanager
async def asking(guests: Guests, headers: dict[str, str]) -> AsyncIterator[None]:
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as http:
        tasks = [asyncio.create_task(guests.ask(http)) for _ in range(READERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in outcomes), outcomes


async def test_no_request_fails_and_no_event_is_lost(stack: Stack) -> None:
    endpoints = Endpoints(stack)
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(endpoints.keep_looking())
        firsts = list(stack.services.values())
        seconds = await asyncio.gather(*map(endpoints.add, services.NAMES))
        async with under_load(endpoints.ready, ORDERS, stack.issuer, longest_answer=60) as load:
            guests, endpoints.sent = Guests(load, endpoints.ready), load.sent
            await load.reached(1 / 10)
            async with asking(guests, bearer(issuer=stack.issuer)):
                codes = await asyncio.gather(*map(endpoints.roll, firsts, seconds))
                await load.reached(1)
        looking.cancel()
    outcome = await outcome_of(load, stack)

    failed = load.repeated - load.early
    print(f"{outcome}; {failed} writes failed, {len(guests.failures)} of {guests.answered} reads")
    print(f"requests to each replica that was told to end: {endpoints.sent_while_ending}")
    assert codes == [[0, 0]] * 3
    assert failed == 0
    assert guests.failures == []
    assert len(endpoints.sent_while_ending) == 6
    assert min(count for _, count in endpoints.sent_while_ending) >= SENT_WHILE_ENDING_MIN
    assert outcome.complaints == []
