"""MongoDB over TLS: the right server, spoken to by the right client, or nobody at all."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.ports import LOOPBACK
from comanda_local.servers import MongoDB
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from query.storage.client import connect, monitor_server
from query.views.ports import StoreUnavailable
from service_kit.runtime.tls import fresh_context

from tests.query.running import running_service
from tests.support.certificates import Authority
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

NO_NATS = "nats://127.0.0.1:1"


@dataclass
class Site:
    """A server that speaks TLS alone, to clients with a certificate."""

    folder: Path
    authority: Authority
    server: MongoDB
    cert: Path
    key: Path

    def files(self, **wrong: Path | str) -> dict[str, str]:
        files = {"ca": self.authority.file, "cert": self.cert, "key": self.key} | wrong
        return {name: str(file) for name, file in files.items()}

    async def refusal(self, url: str = "", **wrong: Path | str) -> str:
        """Why what watches the server can't reach it; nothing if it can."""
        try:
            await self._let_in(url or self.server.url, **wrong)
        except ExceptionGroup as failed:
            (error,) = failed.exceptions
            assert isinstance(error, StoreUnavailable)
            return str(error)
        return ""

    async def _let_in(self, url: str, **wrong: Path | str) -> None:
        client, _ = connect(url, fresh_context(**self.files(**wrong)))
        answered = asyncio.Event()

        def ready(failing: str | None = None) -> None:
            answered.set()

        async with client, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(monitor_server(client, [], ready))
            await answered.wait()
            watching.cancel()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with temporary_folder() as folder:
        authority = Authority(folder, "authority")
        cert, key = authority.sign(LOOPBACK)
        whole = folder / "server.pem"
        whole.write_bytes(cert.read_bytes() + key.read_bytes())
        files = ("--tlsCertificateKeyFile", str(whole), "--tlsCAFile", str(authority.file))
        server = MongoDB(folder / "mongodb", more=("--tlsMode", "preferTLS", *files))
        server.start()
        with MongoClient[dict[str, object]](server.url) as client:
            client.admin.command("setParameter", 1, tlsMode="requireTLS")
        yield Site(folder, authority, server, *authority.sign("client", "client"))
        server.stop()


@pytest.mark.parametrize("more", ["", "&tls=false", "&tlsInsecure=true"])
async def test_tls_is_spoken_whatever_the_url_says_of_it(site: Site, more: str) -> None:
    assert await site.refusal(site.server.url + more) == ""


async def test_in_the_clear_nobody_is_let_in(site: Site) -> None:
    client, database = connect(site.server.url)
    async with client:
        with pytest.raises(PyMongoError, match=r"closed|reset"):
            await database.command("ping")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("authority", "certificate verify failed"),
        ("host", "Hostname mismatch"),
        ("host, though the URL lets any", "Hostname mismatch"),
        ("no certificate", "closed|alert|required|reset"),
        ("a file", r"nowhere\.pem.* can't be read"),
    ],
)
async def test_what_is_wrong_is_refused_in_a_plain_word(site: Site, wrong: str, said: str) -> None:
    another = Authority(site.folder, "another").file
    by_name = f"mongodb://localhost:{site.server.port}/comanda?directConnection=true"
    refused = {
        "authority": lambda: site.refusal(ca=another),
        "host": lambda: site.refusal(by_name),
        "host, though the URL lets any": lambda: site.refusal(f"{by_name}&tlsInsecure=true"),
        "no certificate": lambda: site.refusal(cert="", key=""),
        "a file": lambda: site.refusal(cert=site.folder / "nowhere.pem"),
    }[wrong]

    assert re.search(
        said, await eventually(refused, lambda each: re.search(said, each) is not None)
    )


async def test_a_server_without_tls_is_told_nothing(site: Site, mongodb_url: str) -> None:
    said = await eventually(lambda: site.refusal(mongodb_url), lambda each: "SSL" in each)

    assert "SSL handshake failed" in said


async def test_a_certificate_is_read_anew_with_each_connection(site: Site) -> None:
    own = site.authority.sign("client", "renewed")
    renewed = {"cert": own[0], "key": own[1]}
    client, database = connect(site.server.url, fresh_context(**site.files(**renewed)))
    own[0].unlink()

    async with client:
        with pytest.raises(PyMongoError, match=r"renewed\.crt.* can't be read"):
            await database.command("ping")
        site.authority.sign("client", "renewed")

        assert (await database.command("ping"))["ok"] == 1


async def test_readiness_says_why(site: Site) -> None:
    another = str(Authority(site.folder, "another").file)
    async with running_service(NO_NATS, site.server.url, mongodb_ca=another) as http:

        async def why() -> str:
            answer = (await http.get("/health/ready")).json()
            return str(answer["components"]["mongodb"])

        said = await eventually(why, lambda each: "certificate verify failed" in each)
        assert (await http.get("/health/ready")).status_code == 503
    assert "certificate verify failed" in said
