"""Ready means able: views that are not those of the streams are not ready, and say so."""

import asyncio
import uuid
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from comanda_contracts import Message
from comanda_contracts.streams import DEAD_LETTERS, ORDERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from query import bootstrap
from query.bootstrap import Role
from query.projection.projector import PROJECTED, SERVICE
from query.projection.provenance import Provenance
from query.storage.checkpoints import CHECKPOINTS, MongoCheckpoints
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.orders.store import MongoOrders
from query.views.ports import Checkpoint

from tests.query.builders import an_order, placed
from tests.query.conftest import store
from tests.query.running import is_ok, publish, quiet, running_service, set_up
from tests.support.eventually import eventually


def provenance(database: Database) -> Provenance:
    return Provenance(MongoCheckpoints(database, Generations(database)), PROJECTED)


@pytest.fixture
def unrecovered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost views stay so."""

    async def nothing(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(bootstrap, "keep_recovering", nothing)


async def project_one(nats: Client, orders: MongoOrders) -> None:
    """Publish an order, store it, and acknowledge it."""
    event = placed(an_order())
    await publish(nats, event)
    await store(orders, event)
    subscription = await nats.jetstream().pull_subscribe_bind(SERVICE, ORDERS.name)
    [message] = await subscription.fetch(1, timeout=10)
    await message.ack_sync()


async def test_views_of_these_streams_belong_to_them(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    checks = provenance(database)
    assert await checks.check(nats.jetstream()) == []
    await project_one(nats, orders)

    assert await checks.check(nats.jetstream()) == []
    assert await provenance(database).check(nats.jetstream()) == []


async def test_views_that_are_gone_are_foreign_for_every_replica_until_they_are_rebuilt(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    await project_one(nats, orders)
    await database.client.drop_database(database.name)

    [reason] = await provenance(database).check(nats.jetstream())

    await store(orders, placed(an_order()))  # new ones do not bring the old ones back
    assert "empty" in reason
    assert await provenance(database).check(nats.jetstream()) == [reason]


async def test_views_that_were_there_a_moment_ago_are_missed(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    checks = provenance(database)
    await project_one(nats, orders)
    assert await checks.check(nats.jetstream()) == []

    await database.client.drop_database(database.name)
    await store(orders, placed(an_order()))

    assert len(await checks.check(nats.jetstream())) == 1


async def test_a_view_that_ended_by_its_age_is_no_loss(
    nats: Client, nats_server: Nats, database: Database, fresh_mongodb_url: str
) -> None:
    """Also of the message that was acknowledged last, and when everything was down meanwhile."""
    async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
        await publish(nats, placed(an_order()), placed(an_order()))
        await quiet(nats)
        checks = provenance(database)
        assert await checks.check(nats.jetstream()) == []

        await database["orders-1"].delete_many({})

        assert await checks.check(nats.jetstream()) == []
    assert await provenance(database).check(nats.jetstream()) == []


async def test_an_older_copy_is_noticed_though_news_are_projected_into_it(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    checks = provenance(database)
    await project_one(nats, orders)
    await checks.check(nats.jetstream())
    [copy] = await database[CHECKPOINTS].find({"_id": ORDERS.name}).to_list()
    await project_one(nats, orders)
    assert await checks.check(nats.jetstream()) == []

    await database[CHECKPOINTS].replace_one({"_id": ORDERS.name}, copy)
    await project_one(nats, orders)
    await checks.note_stored(ORDERS.name, 3)

    assert len(await checks.check(nats.jetstream())) == 1
    assert len(await provenance(database).check(nats.jetstream())) == 1


async def test_a_stream_that_was_made_anew_or_cut_off_is_foreign(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    await project_one(nats, orders)
    assert await provenance(database).check(nats.jetstream()) == []
    await database[CHECKPOINTS].update_one({"_id": ORDERS.name}, {"$set": {"sequence": 7}})
    [cut_off] = await provenance(database).check(nats.jetstream())

    await nats.jetstream().delete_stream(ORDERS.name)
    await set_up(nats, ORDERS)
    [made_anew] = await provenance(database).check(nats.jetstream())

    assert "ends at 1" in cut_off
    assert "not the stream" in made_anew


async def test_views_lack_what_left_a_stream_before_it_was_projected_until_they_are_rebuilt(
    nats: Client, database: Database, orders: MongoOrders
) -> None:
    await project_one(nats, orders)
    assert await provenance(database).check(nats.jetstream()) == []
    await publish(nats, placed(an_order()), placed(an_order()))
    js = nats.jetstream()
    config = (await js.stream_info(ORDERS.name)).config
    await js.update_stream(config.evolve(max_age=0.5, duplicate_window=0.1))

    async def have_left() -> bool:
        return (await js.stream_info(ORDERS.name)).state.messages == 0

    await eventually(have_left)

    [reason] = await provenance(database).check(nats.jetstream())

    await project_one(nats, orders)  # the newest do not bring back what is between
    assert "ORDERS, which was projected up to 1" in reason
    assert len(await provenance(database).check(nats.jetstream())) == 1


class BusySystem:
    """A stream and its checkpoint, which another replica moves on after each look at either."""

    def __init__(self) -> None:
        self.sequence = 1

    def moves_on(self) -> int:
        self.sequence += 1
        return self.sequence - 1

    async def known(self) -> dict[str, Checkpoint]:
        return {ORDERS.name: Checkpoint("today", self.moves_on(), is_lost=False)}

    async def add(self, *_: Any, **__: Any) -> None: ...

    async def advance(self, *_: Any) -> None: ...

    async def replace(self, *_: Any) -> None: ...

    async def lose(self, *_: Any) -> None: ...

    async def note_stored(self, *_: Any) -> None: ...

    async def count_look(self, _: str) -> int:
        return 0

    async def has_effect_of(self, *_: Any) -> bool:
        return True

    async def has_views(self) -> bool:
        return True

    async def stream_info(self, _: str) -> Any:
        state = SimpleNamespace(first_seq=1, last_seq=self.moves_on())
        return SimpleNamespace(created="today", state=state)

    async def get_msg(self, *_: Any) -> Any:
        raise NotFoundError

    async def consumer_info(self, *_: str) -> Any:
        return SimpleNamespace(ack_floor=SimpleNamespace(stream_seq=self.moves_on()))


async def test_what_another_replica_projects_during_a_check_is_no_stream_that_was_cut_off() -> None:
    system = BusySystem()
    js: Any = system

    assert await Provenance(system, [ORDERS]).check(js) == []


async def test_views_that_another_replica_has_just_missed_are_missed_by_this_one_too() -> None:
    """It looks for the checkpoint before the other has made it, and for views after the news."""
    system = BusySystem()
    js: Any = system
    lost = Checkpoint("today", 1, is_lost=True)
    checkpoints = [{}, {ORDERS.name: lost}, {ORDERS.name: lost}]

    async def known() -> dict[str, Checkpoint]:
        return checkpoints.pop(0)

    async def add(*_: Any, is_lost: bool, **__: Any) -> None:
        assert is_lost

    system.known, system.add = known, add  # type: ignore[method-assign]
    checks = Provenance(system, [ORDERS])

    assert await checks.check(js) == []
    assert len(await checks.check(js)) == 1


@pytest.mark.usefixtures("unrecovered")
async def test_a_service_without_its_views_is_not_ready_and_says_why(
    nats: Client,
    nats_server: Nats,
    database: Database,
    orders: MongoOrders,
    fresh_mongodb_url: str,
) -> None:
    await project_one(nats, orders)
    await database.client.drop_database(database.name)

    async with running_service(nats_server.url, fresh_mongodb_url) as client:

        async def answer() -> httpx.Response:
            return await client.get("/health/ready")

        refused = await eventually(answer, lambda each: "rebuild" in each.text)

    assert refused.status_code == 503


async def test_a_new_system_whose_first_messages_can_not_be_read_is_ready(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str
) -> None:
    junk = Message(f"orders.v1.r.{uuid.uuid4()}.placed", {"ce-type": "none"}, b"{")
    await set_up(nats, DEAD_LETTERS)
    await publish(nats, *[junk] * 3)

    async with running_service(nats_server.url, fresh_mongodb_url) as client:
        await quiet(nats)
        ready = await eventually(lambda: client.get("/health/ready"), is_ok)

    assert ready.status_code == 200


@pytest.mark.usefixtures("unrecovered")
async def test_views_that_went_while_everything_was_down_are_missed_also_if_news_come_first(
    nats: Client,
    nats_server: Nats,
    database: Database,
    orders: MongoOrders,
    fresh_mongodb_url: str,
) -> None:
    await project_one(nats, orders)
    assert await provenance(database).check(nats.jetstream()) == []
    await database.client.drop_database(database.name)
    await publish(nats, *(placed(an_order()) for _ in range(3)))

    async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
        await quiet(nats)

    [reason] = await provenance(database).check(nats.jetstream())
    assert "empty" in reason


async def test_a_checkpoint_goes_no_way_back(database: Database) -> None:
    checkpoints = MongoCheckpoints(database, Generations(database))
    await checkpoints.add("ORDERS", "then", 100, is_lost=False)

    await checkpoints.advance("ORDERS", "then", 120)
    await checkpoints.advance("ORDERS", "then", 110)
    await checkpoints.add("ORDERS", "then", 90, is_lost=True)

    known = (await checkpoints.known())["ORDERS"]
    assert (known.sequence, known.is_lost) == (120, False)


async def test_views_that_were_lost_stay_so_until_they_are_made_anew(database: Database) -> None:
    checkpoints = MongoCheckpoints(database, Generations(database))
    await checkpoints.add("ORDERS", "then", 100, is_lost=True)

    await checkpoints.advance("ORDERS", "then", 120)
    assert (await checkpoints.known())["ORDERS"].is_lost

    await checkpoints.replace("ORDERS", "then", 110)
    assert not (await checkpoints.known())["ORDERS"].is_lost
