"""A guest is forgotten: in his orders, in the ledger, and again after a backup was restored."""

from typing import NoReturn
from uuid import UUID

import orjson
import pytest
from comanda_contracts import examples
from ordering.application.forget_order import ForgetOrder, forget_order
from ordering.domain.order import Order, Takeaway
from ordering.outbound.database.forgotten import erase_rows
from ordering.outbound.forgetting.commands import forget_app
from ordering.outbound.forgetting.erasure import Guest
from ordering.outbound.forgetting.guests import Guests, LedgerEntry, Wanted
from service_kit.nats.erasure import StoredMessage
from service_kit.runtime.clock import utc_now
from sqlalchemy import text
from typer.testing import CliRunner
from uuid_utils.compat import uuid7

from tests.ordering.builders import NOON, TABLE_12, a_place_order
from tests.ordering.conftest import Database
from tests.ordering.use_cases import open_la_piazza, placing, taking_verdict

RESTAURANT = "la-piazza"
SAME_PHONE = ["+39 06 1234567", "0039 06/1234567"]


async def place(
    database: Database, customer: str, phone: str | None = None, *, is_over: bool = True
) -> Order:
    store = database.replica()
    party = Takeaway(customer=customer, phone=phone)
    order = await store.run(placing(a_place_order(party=party)))
    if is_over:
        await store.run(taking_verdict(order.order_id, 1))
    return order


def guests(database: Database) -> Guests:
    return Guests(database.engine, new_id=uuid7, clock=utc_now)


async def ledger(database: Database) -> dict[UUID, int]:
    return {each.order_id: each.version for each in await guests(database).ledger()}


async def test_all_orders_of_a_phone_number_that_are_over_are_forgotten_once(
    database: Database,
) -> None:
    await open_la_piazza(database.replica())
    his = [await place(database, "Ada", phone) for phone in SAME_PHONE]
    under_way = await place(database, "Ada", SAME_PHONE[0], is_over=False)
    await place(database, "Ada", "+39 06 7654321")
    wanted = Wanted(restaurant=RESTAURANT, phone=SAME_PHONE[0])

    found = await guests(database).orders_of(wanted)
    outcome = await guests(database).forget(RESTAURANT, found)
    again = await guests(database).forget(RESTAURANT, found)

    assert sorted(found) == sorted(each.order_id for each in (*his, under_way))
    assert (outcome.forgotten, len(outcome.not_over), outcome.unknown) == (2, 1, 0)
    assert again == outcome
    assert await ledger(database) == {each.order_id: 3 for each in his}
    published = await database.rows("SELECT body FROM outbox WHERE subject LIKE '%.forgotten'")
    told = [orjson.loads(body)["order"] for (body,) in published if isinstance(body, bytes)]
    assert sorted(each["order_id"] for each in told) == sorted(str(each.order_id) for each in his)
    assert {(each["customer"], each["phone"], each["version"]) for each in told} == {
        (None, None, 3)
    }


async def test_a_name_is_found_however_it_is_written(database: Database) -> None:
    await open_la_piazza(database.replica())
    order = await place(database, "Ada  Lovelace")
    await place(database, "Ada")

    found = await guests(database).orders_of(Wanted(restaurant=RESTAURANT, customer="ada lovelace"))

    assert found == [order.order_id]


@pytest.mark.parametrize(
    ("phone", "customer"), [("", None), ("none", None), (None, " "), ("-", "Ada")]
)
async def test_who_has_no_name_and_no_number_is_nobody_and_not_everybody(
    database: Database, phone: str | None, customer: str | None
) -> None:
    await open_la_piazza(database.replica())
    await place(database, "Ada")
    await database.replica().run(placing(a_place_order(party=TABLE_12)))

    nobody = Wanted(restaurant=RESTAURANT, phone=phone, customer=customer)

    assert await guests(database).orders_of(nobody) == []


@pytest.mark.parametrize(
    "nobody",
    [("--phone", "none"), ("--customer", " "), ("--customer", "Ada", "--phone", "")],
    ids=" ".join,
)
def test_the_command_looks_for_nobody(nobody: tuple[str, ...]) -> None:
    def never() -> NoReturn:
        raise AssertionError

    app = forget_app(never, never, new_id=uuid7, clock=utc_now)

    assert CliRunner().invoke(app, [RESTAURANT, *nobody]).exit_code == 2


@pytest.mark.parametrize("is_marked", [True, False])
async def test_the_outbox_is_rid_of_what_came_before_though_no_relay_has_marked_it_yet(
    database: Database, is_marked: bool
) -> None:
    await open_la_piazza(database.replica())
    order, other = await place(database, "Ada"), await place(database, "Grace")
    await guests(database).forget(RESTAURANT, [order.order_id])
    if is_marked:
        async with database.engine.begin() as connection:
            await connection.execute(text(MARK_ALL))

    async with database.engine.begin() as connection:
        await erase_rows(
            connection,
            restaurant=RESTAURANT,
            order_id=order.order_id,
            body="",
            version=3,
            aggregate=f"orders.v1.{RESTAURANT}.{order.order_id}",
        )

    left = await database.rows(ORDER_SUBJECTS)
    assert [str(subject).split(".", 3)[3] for (subject,) in left] == [
        f"{other.order_id}.placed",
        f"{other.order_id}.closed",
        f"{order.order_id}.forgotten",
    ]


ORDER_SUBJECTS = "SELECT subject FROM outbox WHERE subject LIKE 'orders.%' ORDER BY id"
MARK_ALL = "UPDATE outbox SET stream = 'ORDERS', sequence = id, published_at = now()"


async def test_after_a_backup_was_restored_all_are_forgotten_again_above_what_was_said(
    database: Database,
) -> None:
    await open_la_piazza(database.replica())
    order = await place(database, "Ada")
    await guests(database).forget(RESTAURANT, [order.order_id])
    known_elsewhere = LedgerEntry(order.order_id, RESTAURANT, 7)

    outcome = await guests(database).forget_again(
        [*await guests(database).ledger(), known_elsewhere]
    )

    assert outcome.forgotten == 1
    assert await ledger(database) == {order.order_id: 8}


async def test_what_is_parked_of_the_order_does_not_hold_back_that_he_is_forgotten(
    database: Database,
) -> None:
    await open_la_piazza(database.replica())
    order = await place(database, "Ada")
    await database.rows(PARK_ALL)
    command = ForgetOrder(order_id=order.order_id, restaurant=RESTAURANT)

    await database.replica().run(lambda tx: forget_order(command, transaction=tx, at=NOON))

    assert await database.rows("SELECT id FROM parked_events") == []


PARK_ALL = """
    WITH gone AS (DELETE FROM outbox WHERE subject LIKE 'orders.%' RETURNING *)
    INSERT INTO parked_events (id, partition, aggregate, subject, headers, body, reason)
    SELECT id, partition, aggregate, subject, headers, body, 'too large' FROM gone RETURNING id
"""


@pytest.mark.parametrize(
    ("body", "is_his"),
    [
        ({"customer": "Ada", "phone": "+39 06 1234567"}, True),
        ({"customer": "Grace", "phone": "+39 06 1234567"}, True),
        ({"customer": "Ada", "phone": "+39 06 7654321"}, False),
        ({"customer": "Ada"}, True),
        ({"customer": " ADA"}, True),
        ({"customer": "Grace", "phone": "0039 06/1234567"}, True),
        ({"customer": "Grace", "phone": 39061234567}, True),
        ({"customer": ["Ada"]}, False),
        ({"customer": "Ada", "phone": {"number": ""}}, False),
        ({"customer": "Grace"}, False),
        ({}, False),
        (["Ada"], False),
    ],
)
def test_a_command_that_names_no_order_is_known_by_its_guest(body: object, is_his: bool) -> None:
    event = next(each for each in examples.EXAMPLES if each.name == "placed")
    placed = event.model_copy(update={"order": examples.TAKEAWAY})
    message = StoredMessage(1, {"ce-type": event.TYPE}, placed.model_dump_json().encode())

    assert Guest.in_messages([message]).wrote(body) == is_his
