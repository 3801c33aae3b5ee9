"""PostgreSQL over TLS: the right server, spoken to by the right client, or nobody at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from comanda_local.ports import LOOPBACK
from ordering.bootstrap import bootstrap
from ordering.outbound.database.engine import connect
from ordering.outbound.database.migration import migrate
from ordering.settings import Settings
from pydantic import SecretStr
from service_kit.runtime.tls import fresh_context
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.tls_proxy import postgres_behind_tls, postgres_without_tls

pytestmark = pytest.mark.servers

NO_NATS = "nats://127.0.0.1:1"


@dataclass
class Site:
    """A database behind TLS, and the files that let a client in."""

    folder: Path
    authority: Authority
    port: int
    database: str
    cert: Path
    key: Path

    def url(self, host: str = "localhost", *, port: int | None = None, more: str = "") -> str:
        return f"postgresql+asyncpg://postgres@{host}:{port or self.port}/{self.database}{more}"

    def files(self, **wrong: Path | str) -> dict[str, str]:
        files = {"ca": self.authority.file, "cert": self.cert, "key": self.key} | wrong
        return {name: str(file) for name, file in files.items()}

    async def is_let_in(self, url: str, **wrong: Path | str) -> bool:
        engine = connect(url, fresh_context(**self.files(**wrong)))
        try:
            async with engine.connect() as connection:
                return bool((await connection.execute(text("SELECT 1"))).scalar_one())
        finally:
            await engine.dispose()


@pytest.fixture
async def site(fresh_database: str, tmp_path: Path) -> AsyncIterator[Site]:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.sign("localhost")
    own = authority.sign("client", "client")
    parts = urlsplit(fresh_database)
    (sockets,) = parse_qs(parts.query)["host"]
    async with postgres_behind_tls(sockets, cert=cert, key=key, client_ca=authority.file) as port:
        yield Site(tmp_path, authority, port, parts.path.strip("/"), *own)


@pytest.mark.parametrize("more", ["", "?ssl=disable", "?ssl=prefer"])
async def test_tls_is_spoken_whatever_the_url_says_of_it(site: Site, more: str) -> None:
    assert await site.is_let_in(site.url(more=more))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("authority", "certificate verify failed"),
        ("host", "IP address mismatch"),
        ("no certificate", "certificate required|closed|reset"),
        ("a file", "nowhere.pem can't be read"),
    ],
)
async def test_what_is_wrong_is_refused_in_a_plain_word(site: Site, wrong: str, said: str) -> None:
    another = Authority(site.folder, "another").file
    refused = {
        "authority": lambda: site.is_let_in(site.url(), ca=another),
        "host": lambda: site.is_let_in(site.url(LOOPBACK)),
        "no certificate": lambda: site.is_let_in(site.url(), cert="", key=""),
        "a file": lambda: site.is_let_in(site.url(), cert=site.folder / "nowhere.pem"),
    }[wrong]()

    with pytest.raises((OSError, DBAPIError), match=said):
        await refused


async def test_a_server_without_tls_is_told_nothing(site: Site) -> None:
    async with postgres_without_tls() as port:
        with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
            await site.is_let_in(site.url(port=port, more="?ssl=prefer"))


async def test_a_certificate_is_read_anew_with_each_connection(site: Site) -> None:
    engine = connect(site.url(), fresh_context(**site.files()))
    site.cert.unlink()

    with pytest.raises(OSError, match=r"client\.crt can't be read"):
        async with engine.connect():
            pass
    site.authority.sign("client", "client")

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


async def test_the_schema_is_migrated_over_tls(site: Site) -> None:
    await asyncio.to_thread(migrate, site.url(), fresh_context(**site.files()))

    engine = connect(site.url(), fresh_context(**site.files()))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 0
    await engine.dispose()


async def test_readiness_says_why(site: Site) -> None:
    settings = Settings(
        database_url=SecretStr(site.url()),
        database_ca=str(Authority(site.folder, "another").file),
        nats_url=SecretStr(NO_NATS),
    )
    app = bootstrap(settings)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ordering")

    async def why() -> str:
        answer = (await http.get("/health/ready")).json()
        return str(answer["components"]["database"])

    async with app.router.lifespan_context(app), http:
        said = await eventually(why, lambda each: "certificate verify failed" in each)
        assert (await http.get("/health/ready")).status_code == 503
    assert "certificate verify failed" in said
