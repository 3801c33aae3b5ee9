"""A PostgreSQL that is frozen, read-only, full, or has no connection free: said, and got over."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.servers import Postgres
from comanda_local.servers import postgres as embedded
from ordering.application.transaction import StoreUnavailable
from ordering.outbound.database import engine as ordering_database
from ordering.outbound.database import health
from ordering.outbound.database.engine import connect
from ordering.outbound.database.health import WriteHealth, watch
from ordering.outbound.database.migration import migrate
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction import group_commit
from ordering.outbound.transaction.group_commit import GroupCommit
from service_kit.runtime.components import Component, Ready, running
from uuid_utils.compat import uuid7

from tests.ordering.conftest import Database
from tests.ordering.test_http import HERE, TAKEAWAY, ordering
from tests.ordering.use_cases import open_la_piazza, placing
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers
CONNECTIONS = 25


class Site:
    """Ordering's store on a PostgreSQL of the test's own, and what its probe says."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.engine = connect(server.url)
        self.writes = WriteHealth()
        self.store = GroupCommit(
            self.engine, new_id=uuid7, first_events=FirstEvents(), writes=self.writes
        )
        self.component = Component("database", self._watch)

    async def _watch(self, ready: Ready) -> None:
        await watch(self.engine, ready, self.writes)

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.server.url.replace("+asyncpg", ""))
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def connections_that_are_free(self) -> list[asyncpg.Connection]:
        """Every connection that the server has left, taken."""
        taken = []
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(self.server.url.replace("+asyncpg", "")))
        return taken

    async def orders(self) -> int:
        ((count,),) = await Database(self.server.url, self.engine).rows(
            "SELECT count(*) FROM orders"
        )
        return int(str(count))

    async def place(self) -> Any:
        async with ordering(self.store, self.engine, has_lane=True) as http:
            return await http.post(f"{HERE}/orders", json=TAKEAWAY)

    async def says(self, state: Callable[[str], bool]) -> str:
        async def look() -> str:
            return self.component.state

        return await eventually(look, state)


@contextlib.asynccontextmanager
async def running_site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site whose data is in this folder, with la-piazza open and ready."""
    monkeypatch.setattr(health, "PROBE_INTERVAL_S", 0.1)
    server = Postgres(folder)
    server.start()
    await asyncio.to_thread(migrate, server.url)
    site = Site(server)
    await open_la_piazza(site.store)
    async with running([site.component]):
        await site.says(lambda state: state == "ready")
        yield site
    await site.engine.dispose()
    server.stop()


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(ordering_database, "STATEMENT_TIMEOUT_S", 1.0)
    monkeypatch.setattr(group_commit, "MAX_WAIT_S", 1.0)
    monkeypatch.setitem(embedded.SETTINGS, "max_connections", str(CONNECTIONS))
    with temporary_folder() as folder:
        async with running_site(folder, monkeypatch) as site:
            yield site


async def test_a_frozen_server_fails_what_waits_and_nothing_of_it_happens_later(
    site: Site,
) -> None:
    server = psutil.Process(site.server.process.pid)
    processes = [*server.children(recursive=True), server]
    loop = asyncio.get_running_loop()
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        in_flight = asyncio.create_task(site.store.run(placing()))
        await asyncio.sleep(0.1)
        began = loop.time()
        waiting = [asyncio.create_task(site.store.run(placing())) for _ in range(100)]
        refused = await asyncio.gather(*waiting, return_exceptions=True)
        took_s = loop.time() - began
        with pytest.raises(StoreUnavailable):
            await in_flight
        await site.says(lambda state: state != "ready")
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
    await site.says(lambda state: state == "ready")

    assert {type(outcome) for outcome in refused} == {StoreUnavailable}
    assert took_s < 30, "each waits for its own second, not for those before it"
    assert await site.orders() == 0
    assert (await site.place()).status_code == 201


async def test_a_read_only_server_is_told_of_and_got_over(site: Site) -> None:
    setting = "default_transaction_read_only"
    await site.execute(f"ALTER SYSTEM SET {setting} = on", "SELECT pg_reload_conf()")
    reason = await site.says(lambda state: state != "ready")
    answer = await site.place()

    undo = ("SET default_transaction_read_only = off", f"ALTER SYSTEM RESET {setting}")
    await site.execute(*undo, "SELECT pg_reload_conf()")
    await site.says(lambda state: state == "ready")

    assert "read-only" in reason
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (await site.place()).status_code == 201


async def test_a_full_disk_is_told_of_and_got_over(site: Site) -> None:
    await site.execute(
        """CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$""",
        "CREATE TRIGGER full_disk BEFORE INSERT ON outbox EXECUTE FUNCTION fill()",
    )
    answer = await site.place()
    reason = await site.says(lambda state: state != "ready")
    await asyncio.sleep(0.5)
    still = site.component.state

    await site.execute("DROP TRIGGER full_disk ON outbox")
    await site.says(lambda state: state == "ready")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "could not extend file" in reason
    assert still != "ready"
    assert (await site.place()).status_code == 201


async def test_a_server_without_a_free_connection_is_told_of_and_got_over(site: Site) -> None:
    await site.engine.dispose()
    others = await site.connections_that_are_free()
    pids = [each.get_server_pid() for each in others]
    await others[0].execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE pid != ALL(ARRAY{pids}) AND backend_type LIKE 'client%'"
    )
    others += await site.connections_that_are_free()

    reason = await site.says(lambda state: "too many" in state)
    answers = [await site.place() for _ in range(3)]
    for each in others:
        await each.close()
    await site.says(lambda state: state == "ready")

    assert reason
    assert [(each.status_code, each.headers["Retry-After"]) for each in answers] == [(503, "1")] * 3
    assert (await site.place()).status_code == 201


async def test_a_menu_is_read_while_the_groups_wait(site: Site) -> None:
    async with ordering(site.store, site.engine, has_lane=True) as http:
        connection = await asyncpg.connect(site.server.url.replace("+asyncpg", ""))
        async with connection.transaction():
            await connection.execute("LOCK TABLE days")
            waiting = [asyncio.create_task(site.store.run(placing())) for _ in range(100)]
            menus = [await http.get(f"{HERE}/menu") for _ in range(5)]
            is_anybody_answered = any(each.done() for each in waiting)
        await connection.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert [len(menu.json()["items"]) for menu in menus] == [2] * 5
    assert not is_anybody_answered


async def test_a_full_queue_refuses_and_who_is_in_it_is_served(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_QUEUE_COMMANDS", 5)
    store = database.replica()
    await open_la_piazza(store)

    outcomes = await asyncio.gather(
        *(store.run(placing()) for _ in range(20)), return_exceptions=True
    )

    refused = [outcome for outcome in outcomes if isinstance(outcome, StoreUnavailable)]
    assert len(refused) == 15
    assert await database.rows("SELECT count(*) FROM orders") == [(5,)]


async def test_a_command_whose_client_has_gone_while_it_waited_is_not_carried_out(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)

    first = asyncio.create_task(store.run(placing()))
    await asyncio.sleep(0)  # it goes by itself
    gone = asyncio.create_task(store.run(placing()))
    await asyncio.sleep(0)
    gone.cancel()
    await first
    await store.run(placing())

    assert await database.rows("SELECT count(*) FROM orders") == [(2,)]
