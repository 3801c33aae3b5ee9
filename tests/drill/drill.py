"""The drill: an evening, its loss, and what came back, step by step."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from comanda_contracts import Order
from comanda_contracts.streams import ORDERS, TICKETS
from comanda_local import api
from comanda_local.api import Api
from comanda_local.audit import CONVERGENCE_TIMEOUT_S
from comanda_local.audit.command import audit_restaurant
from comanda_local.evening import Evening, Tally
from comanda_local.menus import Venue, la_piazza, set_menu
from comanda_local.ports import free_port
from comanda_local.server_files import connect_nats
from comanda_local.servers import Postgres
from comanda_local.services import command, environment
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL, Stack
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit, generate_visits

from tests.drill.postgres_backup import PostgresBackup

WAITING_ORDERS = 12
"""Orders that are in the kitchen when everything is lost: begun, ready, served, cancelled, and
not begun."""
LATER_ORDERS = 8
"""Orders of the evening that goes on."""
GUESTS = 8
LOOK_INTERVAL_S = 0.2

Round = tuple[UUID, int]
CONSUMERS = ((TICKETS.name, "ordering"), (ORDERS.name, "serving"), (TICKETS.name, "query"))
"""Who has to have heard everything before it is said what is known."""


@dataclass
class Report:
    """What the drill found, and how long each of its steps took."""

    steps: list[tuple[str, float]] = field(default_factory=list)
    orders: int = 0
    lost: int = 0
    doubled: int = 0
    settled_at_once: int = 0
    """Rounds that were over, and whose `placed` came again, ahead of what ordering said of them."""
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether all that was ordered came back, once."""
        return not (self.lost or self.doubled or self.complaints)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        began = time.perf_counter()
        yield
        self.steps.append((name, time.perf_counter() - began))

    def compare(self, what: str, before: Counter[Any], after: Counter[Any]) -> None:
        """Count what is not there any more, and what is there that should not be."""
        lost, doubled = before - after, after - before
        self.lost += lost.total()
        self.doubled += doubled.total()
        self.complaints += [f"{what} lost: {each}" for each in lost]
        self.complaints += [f"{what} too many: {each}" for each in doubled]


class RestoredStack(Stack):
    """A system on servers that are new, but for what is in PostgreSQL's backup."""

    def __init__(self, folder: Path, backup: PostgresBackup, report: Report) -> None:
        super().__init__(folder)
        self._backup = backup
        self._report = report

    def _start_servers(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._report.step("PostgreSQL's files restored"):
            self._backup.restore(self.folder / "postgres")
        with self._report.step("three servers started, the log replayed"):
            super()._start_servers()

    def _prepare(self) -> None:
        with self._report.step("migration, streams and durables set up"):
            super()._prepare()

    def _start_services(self) -> None:
        """Ordering first, which says everything again: so nobody cooks what was served before."""
        ordering = self._service("ordering", "ordering", free_port())
        with self._report.step("ordering ready"):
            ordering.start()
            self.services["ordering"] = ordering
            ordering.wait_until_ready()
        with self._report.step("ordering republish --all"):
            run_operators(self, self._report, "ordering", "republish", "--all")
        with self._report.step("serving and query ready"):
            others = [self._service(each, each, free_port()) for each in ("serving", "query")]
            for each in others:
                self.services[each.name] = each
                each.start()
            for each in others:
                each.wait_until_ready()


async def drill(folder: Path, orders: int, *, seed: int = 1) -> Report:
    """Hold it, with the system's data in the folder."""
    report, venue = Report(), la_piazza()
    visits = generate_visits(orders + WAITING_ORDERS + LATER_ORDERS, venue.skus, seed=seed)
    evening, waiting = visits[:orders], visits[orders : orders + WAITING_ORDERS]
    later = visits[orders + WAITING_ORDERS :]

    with Stack(folder / "before") as stack:
        backup = PostgresBackup(folder / "backup", _postgres(stack))
        try:
            known, in_kitchen = await _before(stack, venue, evening, waiting, backup, report)
        finally:
            backup.kill()
        for part in stack.parts:  # nothing gets the time to say farewell
            part.process.kill()
    report.orders = known.total()

    with RestoredStack(folder / "after", backup, report) as stack:
        await _after(stack, venue, later, known, in_kitchen, report)
    return report


async def _before(
    stack: Stack,
    venue: Venue,
    evening: list[Visit],
    waiting: list[Visit],
    backup: PostgresBackup,
    report: Report,
) -> tuple[Counter[Any], Counter[Round]]:
    """An evening, in which a backup is made. Returns the orders, and what the kitchen has to do."""
    system = SystemUrls.of(stack)
    async with api.connected(system.addresses, system.auth()) as services:
        await set_menu(services, venue)
        has_begun = asyncio.Event()

        def watch(tally: Tally) -> None:
            if tally.placed >= len(evening) // 3:
                has_begun.set()

        async with asyncio.TaskGroup() as house:
            house.create_task(_copied_once(has_begun, backup, report))
            evening_at = Evening(services, venue.slug, at_once=GUESTS, watch=watch)
            going_on = house.create_task(evening_at.run(evening))
        report.complaints += going_on.result().failures

        placed = [await services.place(venue.slug, each.order) for each in waiting]
        await _work_some(services, venue, placed, report)
        await _all_is_heard(system)
        in_kitchen = await _in_kitchen(services, venue)
        known = await _orders(system, venue)
    with report.step("the rest of the log taken"):
        await backup.stop()
    return known, in_kitchen


async def _copied_once(has_begun: asyncio.Event, backup: PostgresBackup, report: Report) -> None:
    await has_begun.wait()
    with report.step("PostgreSQL copied while guests order"):
        await asyncio.to_thread(backup.copy)


async def _work_some(services: Api, venue: Venue, placed: list[Order], report: Report) -> None:
    """Begin some, have some ready, serve some, cancel some; the rest waits."""
    expected = {each.order_id for each in placed}
    tickets = await _until_queued(services, venue, expected)
    ids = [each.order_id for each in placed]
    for number, order_id in enumerate(ids[: 4 * (len(ids) // 5)]):
        ticket = tickets[order_id]
        match number % 4:
            case 0:
                await services.move(ticket, "start")
            case 1:
                await services.move(ticket, "start")
                await services.move(ticket, "ready")
            case 2:
                for move in ("start", "ready", "serve"):
                    await services.move(ticket, move)
            case _:
                await services.cancel(placed[number], reason="they left")


async def _until_queued(services: Api, venue: Venue, expected: set[UUID]) -> dict[UUID, Any]:
    async with asyncio.timeout(CONVERGENCE_TIMEOUT_S):
        while True:
            tickets = {each.order_id: each for each in await services.queue(venue.slug)}
            if expected <= tickets.keys():
                return tickets
            await asyncio.sleep(LOOK_INTERVAL_S)


async def _after(
    stack: Stack,
    venue: Venue,
    later: list[Visit],
    known: Counter[Any],
    in_kitchen: Counter[Round],
    report: Report,
) -> None:
    """Have everything said again, and compare; then the evening goes on."""
    system = SystemUrls.of(stack)
    restated = Counter({(key, status, version + 1, total) for key, status, version, total in known})
    report.compare("order", restated, await _orders(system, venue))
    async with api.connected(system.addresses, system.auth()) as services:
        with report.step("all of it heard"):
            await _all_is_heard(system)
        report.compare("round in the kitchen", in_kitchen, await _in_kitchen(services, venue))
        queued = await _ever_queued(system, venue)
        report.compare("round queued again", Counter(), queued - Counter(set(queued)))
        report.settled_at_once = len(queued.keys() - in_kitchen.keys())
        with report.step("query rebuild"):
            await asyncio.to_thread(run_operators, stack, report, "query", "rebuild")
        with report.step("query audit"):
            await asyncio.to_thread(run_operators, stack, report, "query", "audit")
        with report.step("audit of all three services"):
            await _audit(system, venue, report)
        with report.step("the evening goes on"):
            tally = await Evening(services, venue.slug, at_once=GUESTS).run(later)
            await _until_cooked(services, venue)
        report.complaints += tally.failures
        await _audit(system, venue, report)


async def _audit(system: SystemUrls, venue: Venue, report: Report) -> None:
    findings = await audit_restaurant(system, venue.slug, CONVERGENCE_TIMEOUT_S)
    report.complaints += [f"audit: {each}" for each in findings.differences]


async def _until_cooked(services: Api, venue: Venue) -> None:
    """Serve what the evening's kitchen left: it goes home with the last of its guests."""
    async with asyncio.timeout(CONVERGENCE_TIMEOUT_S):
        while tickets := await services.queue(venue.slug):
            for ticket in tickets:
                for move in ("start", "ready", "serve"):
                    await services.move(ticket, move)


async def _in_kitchen(services: Api, venue: Venue) -> Counter[Round]:
    return Counter((each.order_id, each.round) for each in await services.queue(venue.slug))


async def _orders(system: SystemUrls, venue: Venue) -> Counter[Any]:
    """Each order as ordering has it."""
    connection = await asyncpg.connect(system.database.replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(
            "SELECT id, status, version, total FROM orders WHERE restaurant = $1", venue.slug
        )
    finally:
        await connection.close()
    return Counter((row["id"], row["status"], row["version"], row["total"]) for row in rows)


async def _ever_queued(system: SystemUrls, venue: Venue) -> Counter[Round]:
    """How often each round came into the kitchen of these streams."""
    async with await connect_nats(system.nats, system.files) as client:
        subject = f"tickets.v1.{venue.slug}.*.*.queued"
        info = await client.jetstream().stream_info(TICKETS.name, subjects_filter=subject)
    counts: Counter[Round] = Counter()
    for name, count in (info.state.subjects or {}).items():
        order_id, number = name.split(".")[3:5]
        counts[UUID(order_id), int(number)] = count
    return counts


async def _all_is_heard(system: SystemUrls) -> None:
    """Wait until nothing waits to be published or to be heard, twice in a row."""
    async with (
        asyncio.timeout(CONVERGENCE_TIMEOUT_S),
        await connect_nats(system.nats, system.files) as client,
    ):
        js, quiet = client.jetstream(), 0
        while quiet < 2:
            left = await _unpublished(system)
            for stream, durable in CONSUMERS:
                info = await js.consumer_info(stream, durable)
                left += (info.num_pending or 0) + (info.num_ack_pending or 0)
            quiet = 0 if left else quiet + 1
            await asyncio.sleep(LOOK_INTERVAL_S)


async def _unpublished(system: SystemUrls) -> int:
    connection = await asyncpg.connect(system.database.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM outbox WHERE sequence IS NULL"))
    finally:
        await connection.close()


def run_operators(stack: Stack, report: Report, service: str, *arguments: str) -> None:
    """Run an operator's command; it complains if that fails."""
    urls = stack._urls_for(service, nats=f"{service}-operator")
    done = subprocess.run(
        command(service, *arguments),
        env=environment(urls),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".strip()
        report.complaints.append(f"{service} {' '.join(arguments)}: {said}")


def _postgres(stack: Stack) -> Postgres:
    server = stack.servers[DATABASE_URL]
    if not isinstance(server, Postgres) or {NATS_URL, MONGODB_URL} - stack.servers.keys():
        sys.exit("The drill is held on servers of its own: none may be given.")
    return server
