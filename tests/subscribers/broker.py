"""A NATS with Comanda's accounts and streams and no service: for whoever only reads events."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import nats
from comanda_contracts import Event
from comanda_contracts.envelope import seal
from comanda_contracts.streams import Archive, Stream, archive_of
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.nats_reload import reload_nats
from comanda_local.processes import Child
from comanda_local.servers import Nats
from comanda_local.team_consumers import delete_consumers, make_consumers
from comanda_local.teams import SUBJECTS_BY_STREAM, Team, write_team
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import NoStreamResponseError, NotFoundError
from service_kit.nats.set_up import set_up_archive

POLL_INTERVAL_S = 0.05


class Broker:
    """The server, and its operator's connection; teams are let in while it runs, each by a key."""

    def __init__(self, server: Nats, folder: Path, operator: Client) -> None:
        self.server = server
        self._folder = folder
        self._operator = operator

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, server: Nats, folder: Path) -> "AsyncIterator[Broker]":
        """As if nothing had been published yet and no team had been let in."""
        async with await nats.connect(server.url) as operator:
            js = operator.jetstream()
            for stream in SUBJECTS_BY_STREAM:
                with contextlib.suppress(NotFoundError):
                    await js.delete_stream(stream.name)
            for stream in SUBJECTS_BY_STREAM:
                if isinstance(stream, Archive):  # after its stream
                    await set_up_archive(js, stream, replicas=1)
                else:
                    config = api.StreamConfig(stream.name, subjects=[stream.subject])
                    await js.add_stream(config)
            yield cls(server, folder, operator)

    @property
    def url(self) -> str:
        """Where it is, without a user."""
        return f"nats://127.0.0.1:{self.server.port}"

    @property
    def jetstream(self) -> JetStreamContext:
        """The operator's."""
        return self._operator.jetstream()

    async def team(self, name: str, filters: Sequence[str]) -> Team:
        """Let a team in, or anew with other filters, as `comanda team` does."""
        seed = new_seed()
        save_seed(seed, self.key_file(name))
        team = Team.of(name, filters)
        await self.let_in(team, Login.by_key(seed))
        await make_consumers(self.server.url, [team])
        return team

    async def let_in(self, team: Team, login: Login) -> None:
        """From now on by this login and no other."""
        filters = [grant.subject for grant in team.grants]
        write_team(team.name, filters, self._folder / "accounts", login=login)
        assert await asyncio.to_thread(reload_nats, self._folder)

    def key_file(self, team: str) -> Path:
        return self._folder / f"{team}.nk"

    def environment(self, team: Team) -> dict[str, str]:
        """What a team's program is told."""
        key = str(self.key_file(team.name))
        return {"NATS_URL": self.url, "NATS_NKEY": key, "TEAM": team.name}

    async def publish(self, *events: Event) -> None:
        """Publish them as the services do: again, by the same id, until they are stored."""
        for event in events:
            sealed = seal(event, event_id=uuid.uuid4())
            headers, is_stored = dict(sealed.headers), False
            while not is_stored:
                with contextlib.suppress(TimeoutError, NoStreamResponseError):
                    await self.jetstream.publish(sealed.subject, sealed.body, headers=headers)
                    is_stored = True

    async def publish_raw(self, subject: str, body: bytes, event_type: str | None) -> int:
        """Publish what no service would. Returns its sequence."""
        headers = {"ce-type": event_type} if event_type else None
        return (await self.jetstream.publish(subject, body, headers=headers)).seq

    async def archive_all(self, stream: Stream) -> None:
        """All that is on the stream leaves it, as what is older than the hot window does."""
        archive = archive_of(stream)
        assert archive is not None
        end = (await self.jetstream.stream_info(stream.name)).state.last_seq
        while (await self.jetstream.stream_info(archive.name)).state.last_seq < end:
            await asyncio.sleep(POLL_INTERVAL_S)
        await self.jetstream.purge_stream(stream.name, seq=end + 1)

    async def delete_consumers(self, team: Team) -> None:
        await delete_consumers(self.server.url, team.name)

    async def until_settled(self, stream: Stream, team: Team, program: Child) -> None:
        """Wait until the team has settled everything, while its program runs."""
        while True:
            info = await self.jetstream.consumer_info(stream.name, team.name)
            if info.num_pending == 0 and info.num_ack_pending == 0:
                return
            assert program.alive, program.tail()
            await asyncio.sleep(POLL_INTERVAL_S)
