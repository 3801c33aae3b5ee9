"""TLS and keys on a real NATS: the right ones are let in, others are refused in a plain word."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.ports import free_port
from comanda_local.processes import Child
from comanda_local.servers.nats import _program
from nats.aio.client import Client
from pydantic import SecretStr
from service_kit.nats.broker import Broker, running
from service_kit.nats.jetstream import connected, credentials
from service_kit.runtime.nats_servers import NatsServers
from service_kit.runtime.settings import ServiceSettings, load

from tests.support.certificates import Authority
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

WITHIN_S = 20.0


@dataclass
class Site:
    """A server that speaks TLS alone, to clients with a certificate, and knows one key."""

    folder: Path
    authority: Authority
    process: Child
    port: int
    cert: Path
    key: Path

    def servers(self, host: str = "localhost", ca: Path | None = None, **more: str) -> NatsServers:
        files = {"ca": str(ca or self.authority.file), "cert": str(self.cert), "key": str(self.key)}
        given = {"nkey": str(self.folder / "seed")} | files | more
        return NatsServers([f"nats://ordering@{host}:{self.port}"], **given)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    with temporary_folder() as folder:
        authority = Authority(folder, "authority")
        cert, key = authority.sign("localhost")
        seed = new_seed()
        save_seed(seed, folder / "seed")
        port = free_port()
        (folder / "nats.conf").write_text(f"""
            listen: "127.0.0.1:{port}"
            tls {{
              cert_file: "{cert}", key_file: "{key}", ca_file: "{authority.file}"
              verify: true, handshake_first: true
            }}
            authorization {{ users: [{{ {Login.by_key(seed).lines[0]} }}] }}
        """)
        own = authority.sign("client", "client")
        process = Child("NATS", [str(_program()), "-c", str(folder / "nats.conf")], folder)
        process.start()
        await asyncio.to_thread(process.wait_until, lambda: process.listens_on(port), within=30)
        yield Site(folder, authority, process, port, *own)
        await asyncio.to_thread(process.stop)


async def test_the_right_authority_certificate_and_key_are_let_in(site: Site) -> None:
    async with asyncio.timeout(WITHIN_S), connected(site.servers(), "test") as client:
        await client.flush()
        assert client.options["user"] == "ordering"


async def test_a_broker_is_let_in_by_the_same(site: Site) -> None:
    broker = Broker(site.servers(), "test")
    async with asyncio.timeout(WITHIN_S), running(broker):
        await (await broker.client()).flush()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("authority", "unable to get local issuer"),
        ("host", "IP address mismatch"),
        ("no certificate", "certificate required"),
        ("key", "Authorization Violation"),
    ],
)
async def test_what_is_wrong_is_refused_in_a_plain_word(
    site: Site, wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_seed(new_seed(), site.folder / "other-seed")
    servers = {
        "authority": lambda: site.servers(ca=Authority(site.folder, "another").file),
        "host": lambda: site.servers("127.0.0.1"),
        "no certificate": lambda: site.servers(cert=""),
        "key": lambda: site.servers(nkey=str(site.folder / "other-seed")),
    }[wrong]()
    broker = Broker(servers, "test")
    out = ""

    async def told() -> str:
        nonlocal out
        out += capsys.readouterr().out
        return out

    async with running(broker):
        text = await eventually(told, lambda each: said.lower() in each.lower(), within=WITHIN_S)

    assert said.lower() in text.lower()


async def test_a_server_without_tls_is_told_nothing(
    site: Site, nats_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = NatsServers([nats_url.replace("127.0.0.1", "localhost")], ca=str(site.authority.file))
    broker = Broker(plain, "test")

    async def told() -> str:
        return capsys.readouterr().out

    async with running(broker):
        await eventually(told, lambda each: "SSL" in each, within=WITHIN_S)
        assert broker._connection is None or not broker._connection.is_connected


async def test_a_certificate_is_read_anew_when_the_connection_is_made_anew(site: Site) -> None:
    async with asyncio.timeout(WITHIN_S), connected(site.servers(), "test") as client:
        site.cert.unlink()  # nobody is let in while it is not there
        site.process.kill()
        site.authority.sign("client", "client")

        site.process.start()
        await eventually(lambda: _flushed(client), bool, within=WITHIN_S)


async def _flushed(client: object) -> bool:
    try:
        await client.flush()  # type: ignore[attr-defined]
    except Exception:
        return False
    return True


async def test_a_member_that_the_cluster_tells_of_has_the_name_of_the_url() -> None:
    """The client is told of addresses alone, which no certificate has: it holds each member to the
    name that it knows."""
    with temporary_folder() as folder:
        authority, routes = Authority(folder, "authority"), [free_port(), free_port()]
        processes, ports = [], [free_port(), free_port()]
        for number in range(2):
            cert, key = authority.sign("localhost", f"member-{number}")
            file = folder / f"{number}.conf"
            file.write_text(f"""
                server_name: "{number}", listen: "127.0.0.1:{ports[number]}"
                tls {{ cert_file: "{cert}", key_file: "{key}", handshake_first: true }}
                cluster {{
                  name: "test", listen: "127.0.0.1:{routes[number]}"
                  routes: ["nats://127.0.0.1:{routes[1 - number]}"]
                }}
            """)
            command = [str(_program()), "-c", str(file)]
            processes.append(Child("NATS", command, folder / str(number)))
            processes[-1].start()
            listens = partial(processes[-1].listens_on, ports[number])
            await asyncio.to_thread(processes[-1].wait_until, listens, within=30)
        try:
            servers = NatsServers([f"nats://localhost:{ports[0]}"], ca=str(authority.file))
            async with asyncio.timeout(3 * WITHIN_S), connected(servers, "test") as client:
                await eventually(lambda: _ports(client), lambda known: ports[1] in known)
                processes[0].kill()

                await eventually(
                    lambda: _address(client),
                    lambda where: where == ("127.0.0.1", ports[1]),
                    within=WITHIN_S,
                )
                await client.flush()
        finally:
            for process in processes:
                await asyncio.to_thread(process.stop)


async def _address(client: Client) -> tuple[str | None, int | None]:
    url = client.connected_url
    return (url.hostname, url.port) if url else (None, None)


async def _ports(client: Client) -> list[int | None]:
    return [each.port for each in client.servers]


def test_the_settings_name_the_files() -> None:
    settings = ServiceSettings.model_construct(
        nats_url=SecretStr("nats://query@one:1,nats://two:2"),
        nats_nkey="/run/seed",
        nats_ca="/run/ca.pem",
        nats_cert="/run/tls.crt",
        nats_key="/run/tls.key",
    )

    told = credentials(settings.nats_servers)

    assert settings.nats_servers == ["nats://query@one:1", "nats://two:2"]
    assert told.keys() == {"user", "inbox_prefix", "nkeys_seed", "tls", "tls_handshake_first"}
    assert credentials(NatsServers(["nats://token@one:1"])) == {}


def test_the_seed_itself_does_as_its_file() -> None:
    servers = NatsServers(["nats://query:p1@one:1"], seed="SU")

    told = credentials(servers)

    assert told.keys() == {"user", "inbox_prefix", "password", "nkeys_seed_str"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"COMANDA_NATS_SEED": "UABC"}, "is no seed"),
        ({"COMANDA_NATS_SEED": new_seed().decode(), "COMANDA_NATS_NKEY": "/run/seed"}, "no use"),
    ],
)
def test_what_is_no_seed_is_refused_without_showing_it(
    given: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"COMANDA_NATS_URL": "nats://query@one:1", **given}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        load(ServiceSettings)

    told = capsys.readouterr().err
    assert told.startswith("COMANDA_NATS_SEED: ")
    assert said in told
    assert given["COMANDA_NATS_SEED"] not in told


async def test_from_a_password_to_a_key_each_server_lets_in_by_what_it_knows() -> None:
    """As servers are changed one by one, whoever has both is let in by either."""
    seed = new_seed()
    logins = ("user: serving, password: p1", Login.by_key(seed).lines[0])
    with temporary_folder() as folder:
        for number, login in enumerate(logins):
            port, config = free_port(), folder / f"{number}.conf"
            config.write_text(
                f'listen: "127.0.0.1:{port}"\nauthorization {{ users: [{{ {login} }}] }}\n'
            )
            process = Child("NATS", [str(_program()), "-c", str(config)], folder / str(number))
            process.start()
            try:
                await asyncio.to_thread(
                    process.wait_until, partial(process.listens_on, port), within=30
                )
                url = f"nats://serving:p1@127.0.0.1:{port}"
                servers = NatsServers([url], seed=seed.decode())
                async with asyncio.timeout(WITHIN_S), connected(servers, "test") as client:
                    await client.flush()
            finally:
                await asyncio.to_thread(process.stop)
