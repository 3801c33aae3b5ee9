"""What a service waits for is said once, and plainly, on its health page and in its log."""

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable

import httpx
import ordering.bootstrap
import ordering.settings
import pytest
import query.bootstrap
import query.settings
import serving.bootstrap
import serving.settings
from comanda_local.ports import LOOPBACK, free_port
from pydantic import SecretStr
from service_kit.http.server import Application
from service_kit.nats import subscriber
from service_kit.nats.subscriber import BatchSubscriber
from structlog.testing import capture_logs

from tests.conftest import NewNatsServer
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

NewService = Callable[[str], Application]

PLAIN = re.compile(
    r"waiting for (NATS|stream [A-Z_a-z]+|the migration of the schema|the indexes)"
    r"|the withdrawals of tokens have not been read|ready"
)
READS = {
    "ordering": ["COMMANDS", "TICKETS", "ORDERS"],
    "serving": ["ORDERS", "ORDERS"],
    "query": ["ORDERS", "ORDERS", "TICKETS", "MENU", "RESTAURANTS"],
}
"""The streams of each consumer; whoever keeps something of guests has one more, for forgetting."""
ATTEMPTS = 3


@pytest.fixture(params=["ordering", "serving", "query"])
def name(request: pytest.FixtureRequest) -> str:
    named: str = request.param
    return named


@pytest.fixture
def new_service(name: str, fresh_database: str, fresh_mongodb_url: str) -> NewService:
    """The service as it is put together, on stores with nothing in them."""
    database, mongodb = SecretStr(fresh_database), SecretStr(fresh_mongodb_url)

    def new(nats_url: str) -> Application:
        nats = SecretStr(nats_url)
        match name:
            case "ordering":
                settings = ordering.settings.Settings(nats_url=nats, database_url=database)
                return ordering.bootstrap.bootstrap(settings)
            case "serving":
                return serving.bootstrap.bootstrap(serving.settings.Settings(nats_url=nats))
            case _:
                of_query = query.settings.Settings(nats_url=nats, mongodb_url=mongodb)
                return query.bootstrap.bootstrap(of_query)

    return new


@contextlib.asynccontextmanager
async def running(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield http


async def all_say_something(http: httpx.AsyncClient, of: Callable[[str], bool]) -> dict[str, str]:
    """The components' states, once none is starting, and one of them is so."""

    async def states() -> dict[str, str] | None:
        said: dict[str, str] = (await http.get("/health/ready")).json()["components"]
        has_begun = "starting" not in said.values()
        return said if has_begun and any(map(of, said.values())) else None

    return await eventually(states)


async def test_a_service_without_streams_and_schema_says_which_it_waits_for(
    name: str,
    new_service: NewService,
    new_nats_server: NewNatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber, "LONGEST_PAUSE_S", subscriber.FIRST_PAUSE_S)
    failed: Counter[tuple[str, str]] = Counter()
    say = BatchSubscriber._say

    def counted(self: BatchSubscriber, reason: str) -> None:
        failed[self.stream.name, self.durable] += 1
        say(self, reason)

    monkeypatch.setattr(BatchSubscriber, "_say", counted)
    with capture_logs() as lines:
        async with running(new_service(new_nats_server().url)) as http:
            states = await all_say_something(http, lambda state: "stream" in state)
            await eventually(lambda: _have_tried(failed, len(READS[name])))

    unclear = {state for state in states.values() if not PLAIN.fullmatch(state)}
    assert unclear == set()
    said = [(each["stream"], each["reason"]) for each in lines if each["event"] == "no messages"]
    assert sorted(said) == sorted((each, f"waiting for stream {each}") for each in READS[name])


async def _have_tried(failed: Counter[tuple[str, str]], consumers: int) -> bool:
    return len(failed) == consumers and min(failed.values()) >= ATTEMPTS


async def test_a_service_that_starts_without_nats_says_so(new_service: NewService) -> None:
    async with running(new_service(f"nats://{LOOPBACK}:{free_port()}")) as http:
        states = await all_say_something(http, lambda state: state == "waiting for NATS")

    assert {state for state in states.values() if not PLAIN.fullmatch(state)} == set()
