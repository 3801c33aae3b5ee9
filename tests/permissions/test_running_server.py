"""Tills and teams come and go on a server that runs; nobody else notices."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import nats
import nats.errors
import pytest
from comanda_contracts.streams import COMMANDS, MENU
from comanda_local.folders import temporary_folder
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.nats_reload import NotReloaded, lacks_variable, reload_nats
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS, key_variable, password_variable
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import JETSTREAM_API, remove_team, write_team
from comanda_local.tills import remove_till, write_till
from nats.aio.client import Client
from nats.js import api

pytestmark = pytest.mark.servers

TILL = ("da-mario", "bar")


@dataclass
class Guest:
    """A connection by a key, which notices when it is thrown out."""

    client: Client
    is_out: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Site:
    """A running server, and what decides who is let in."""

    data: Path
    accounts: Path
    server: Nats

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.server.port}"

    async def reload(self) -> None:
        assert await asyncio.to_thread(reload_nats, self.data)

    def new_key(self, name: str) -> Login:
        seed = new_seed()
        save_seed(seed, self.data / name)
        return Login.by_key(seed)

    async def enter(self, key: str) -> Guest:
        is_out = asyncio.Event()

        async def out() -> None:
            is_out.set()

        client = await nats.connect(
            self.url,
            nkeys_seed=str(self.data / key),
            inbox_prefix="replies.v1.da-mario.bar",
            allow_reconnect=False,
            closed_cb=out,
        )
        return Guest(client, is_out)

    async def is_refused(self, key: str) -> bool:
        try:
            await self.enter(key)
        except nats.errors.Error as error:
            return "authorization violation" in str(error).lower()
        return False


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    with temporary_folder() as data:
        accounts = Path(shutil.copytree(ACCOUNTS.parent, data / "accounts"))
        server = Nats(data / "nats", accounts=accounts / "accounts.conf")
        await asyncio.to_thread(server.start)
        yield Site(data, accounts, server)
        await asyncio.to_thread(server.stop)


async def test_a_till_is_added_renewed_and_removed_and_nobody_else_notices(site: Site) -> None:
    async with await nats.connect(**site.server.login_of("serving")) as bystander:
        write_till(*TILL, site.accounts, login=site.new_key("first"))
        await site.reload()
        first = await site.enter("first")

        write_till(*TILL, site.accounts, login=site.new_key("second"))
        await site.reload()
        await asyncio.wait_for(first.is_out.wait(), 60)
        assert await site.is_refused("first")
        second = await site.enter("second")

        remove_till(*TILL, site.accounts)
        await site.reload()
        await asyncio.wait_for(second.is_out.wait(), 60)
        assert await site.is_refused("second")

        await bystander.flush()
        assert bystander.stats["reconnects"] == 0


async def test_a_team_is_added_and_removed_while_its_neighbour_reads_on(site: Site) -> None:
    async with await nats.connect(**site.server.login_of("notifier")) as neighbour:
        write_team("loyalty", ["menu.v1.>"], site.accounts, login=site.new_key("team"))
        await site.reload()
        team = await site.enter("team")

        remove_team("loyalty", site.accounts)
        await site.reload()
        await asyncio.wait_for(team.is_out.wait(), 60)

        assert await site.is_refused("team")
        await neighbour.flush()
        assert neighbour.stats["reconnects"] == 0


async def test_a_team_and_a_till_that_are_new_do_their_work_at_once(site: Site) -> None:
    async with await nats.connect(site.server.url) as operator:
        for stream in (MENU, COMMANDS):
            config = api.StreamConfig(stream.name, subjects=[stream.subject])
            await operator.jetstream().add_stream(config)
        team = write_team("loyalty", ["menu.v1.>"], site.accounts, login=site.new_key("team"))
        write_till(*TILL, site.accounts, login=site.new_key("till"))
        await site.reload()
        await make_consumers(site.server.url, [team])

        till = await site.enter("till")
        stored = await till.client.request("commands.v1.da-mario.place-order", b"{}")
        async with await nats.connect(site.url, nkeys_seed=str(site.data / "team")) as client:
            info = await client.jetstream(prefix=JETSTREAM_API).consumer_info("MENU", "loyalty")

    assert b"COMMANDS" in stored.data
    assert info.num_pending == 0


async def test_a_configuration_that_can_not_be_read_is_said_and_changes_nothing(site: Site) -> None:
    write_till(*TILL, site.accounts)  # by a password, which a running process is not given

    assert lacks_variable(site.data, password_variable("till-da-mario-bar"))
    assert not lacks_variable(site.data, key_variable("serving"))
    with pytest.raises(NotReloaded, match="COMANDA_NATS_TILL_DA_MARIO_BAR_PASSWORD"):
        await asyncio.to_thread(reload_nats, site.data)

    async with await nats.connect(**site.server.login_of("serving")) as still_let_in:
        await still_let_in.flush()


async def test_the_servers_files_hold_no_secret_of_a_key(site: Site) -> None:
    file = write_till(*TILL, site.accounts, login=site.new_key("first"))

    seed = site.data / "first"
    assert seed.read_text() not in file.read_text()
    assert seed.stat().st_mode & 0o077 == 0
    assert write_till(*TILL, site.accounts).read_text() == file.read_text()  # repeated: as it was


def test_where_no_server_runs_nothing_is_reloaded(tmp_path: Path) -> None:
    assert not reload_nats(tmp_path)
    assert not lacks_variable(tmp_path, password_variable("serving"))
