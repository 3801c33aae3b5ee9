"""The embedded servers keep what they acknowledged and leave nothing behind."""

import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import CannotStart
from comanda_local.servers import MongoDB, Nats, Postgres
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.servers


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


async def test_nats_keeps_acknowledged_messages_and_its_port_over_a_kill(folder: Path) -> None:
    server = Nats(folder)
    server.start()
    url = server.url
    async with await nats.connect(url) as client:
        js = client.jetstream()
        await js.add_stream(name="S", subjects=["s.>"])
        await js.publish("s.1", b"kept")

    server.kill()
    server.start()

    assert server.url == url
    async with await nats.connect(url) as client:
        message = await client.jetstream().get_last_msg("S", "s.1")
        assert message.data == b"kept"
    server.stop()


async def test_postgres_keeps_committed_rows_over_a_kill_in_the_middle_of_a_session(
    folder: Path,
) -> None:
    server = Postgres(folder)
    server.start()
    connection = await asyncpg.connect(_plain(server.url))
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (7)")

    server.kill()
    server.start()
    connection.terminate()

    connection = await asyncpg.connect(_plain(server.url))
    assert await connection.fetchval("SELECT n FROM kept") == 7
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW jit") == "off"
    await connection.close()
    server.stop()


async def test_mongodb_keeps_its_data_when_it_moves_to_another_port(folder: Path) -> None:
    server = MongoDB(folder)
    server.start()
    async with AsyncMongoClient[dict[str, int]](server.url) as client:
        await client.comanda.kept.insert_one({"n": 7})
    server.stop()

    server = MongoDB(folder)
    server.start()

    async with AsyncMongoClient[dict[str, int]](server.url) as client:
        found = await client.comanda.kept.find_one({})
        assert found is not None
        assert found["n"] == 7
    server.stop()


async def test_mongodb_keeps_majority_writes_and_its_port_over_a_kill(folder: Path) -> None:
    server = MongoDB(folder)
    server.start()
    url = server.url
    async with AsyncMongoClient[dict[str, int]](url) as client:
        await client.comanda.kept.insert_one({"n": 7})

    server.kill()
    server.start()

    assert server.url == url
    async with AsyncMongoClient[dict[str, int]](url) as client:
        assert await client.comanda.kept.count_documents({}) == 1
    server.stop()


def test_a_port_that_is_taken_is_said_with_what_to_do(folder: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        server = Nats(folder, port)

        with pytest.raises(CannotStart, match=rf"Port {port}.*COMANDA_NATS_URL"):
            server.start()


def test_a_program_that_does_not_run_here_is_said_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_system = folder / "mongod"
    other_system.write_bytes(b"\xcf\xfa\xed\xfe not for this system")
    other_system.chmod(0o755)
    monkeypatch.setattr("comanda_local.servers.mongodb._program", lambda: other_system)

    with pytest.raises(CannotStart, match=r"can't be run(.|\n)*COMANDA_MONGODB_URL"):
        MongoDB(folder).start()


async def test_postgres_works_where_the_path_is_too_long_for_a_socket(folder: Path) -> None:
    server = Postgres(folder / "a-rather-long-name" / "of-a-folder" / ("x" * 60))
    server.start()

    connection = await asyncpg.connect(_plain(server.url))

    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    server.stop()


def test_what_a_killed_parent_left_behind_is_ended_by_the_next_start(folder: Path) -> None:
    port = free_port()
    orphan = Nats(folder, port)
    orphan.start()
    pid = orphan.process.pid

    server = Nats(folder)
    server.start()

    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    server.stop()
    orphan.stop()


def test_a_stopped_server_leaves_no_process(folder: Path) -> None:
    server = Postgres(folder)
    server.start()
    offspring = psutil.Process(server.process.pid).children(recursive=True)

    server.stop()

    assert offspring
    assert not any(process.is_running() for process in offspring)


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")
