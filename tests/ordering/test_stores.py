"""What every store of ordering promises, on the real one and on the fake."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta

import pytest
from ordering.application.keyed_request import Answer, KeyedRequest, KeyReused
from ordering.application.list_menu import Menus, list_menu
from ordering.application.place_order import PlaceOrder, place_order
from ordering.application.transaction import Decision, Transaction
from ordering.domain.order import KitchenVerdict, Order, OrderStatus
from ordering.domain.refusals import (
    CannotOrder,
    StillInTheKitchen,
    UnknownOrder,
    UnknownRestaurant,
    VersionMismatch,
)

from tests.ordering.builders import (
    ADA,
    NOON,
    TABLE_12,
    a_line,
    a_place_order,
    a_requested_line,
    a_restaurant,
    an_item,
)
from tests.ordering.use_cases import (
    Store,
    adding,
    cancelling,
    closing,
    finding,
    offering,
    open_la_piazza,
    placing,
    running_out_of,
    setting,
    taking_verdict,
    withdrawing,
)


async def test_an_order_is_found_again_as_it_was_placed(store: Store) -> None:
    await open_la_piazza(store)

    for party in (ADA, TABLE_12):
        placed = await store.run(placing(a_place_order(party=party)))
        found = await store.run(finding(placed.order_id))

        assert found == placed


async def test_a_refused_command_leaves_nothing_behind(store: Store) -> None:
    await open_la_piazza(store)
    command = a_place_order("la-piazza", a_requested_line("sushi"))

    with pytest.raises(CannotOrder):
        await store.run(placing(command))

    assert await store.run(finding(command.order_id)) is None
    assert (await store.run(placing())).number == "A-001"


async def test_orders_are_numbered_per_restaurant_and_business_day(store: Store) -> None:
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="da-mario")))
    await store.run(offering(an_item(restaurant="da-mario")))
    tomorrow = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)

    first, second = [await store.run(placing()) for _ in range(2)]
    elsewhere = await store.run(placing(a_place_order("da-mario")))
    next_day = await store.run(lambda tx: place_order(a_place_order(), transaction=tx, at=tomorrow))

    numbers = [order.number for order in (first, second, elsewhere, next_day)]
    assert numbers == ["A-001", "A-002", "A-001", "A-001"]


async def test_an_evening_goes_on_after_midnight_once_its_hour_is_set(store: Store) -> None:
    await open_la_piazza(store)
    evening = datetime(2026, 5, 4, 19, 0, tzinfo=UTC)  # 21:00 in Rome

    before = await store.run(placing(at=evening))
    await store.run(setting(a_restaurant(day_begins=time(4)), at=evening))
    after = [
        await store.run(placing(at=evening + timedelta(hours=hours))) for hours in (2, 4, 6.9, 7)
    ]

    assert [(order.business_day.day, order.number) for order in (before, *after)] == [
        (4, "A-001"),
        (4, "A-002"),
        (4, "A-003"),
        (4, "A-004"),
        (5, "A-001"),
    ]


async def test_the_price_is_that_of_the_moment_of_ordering(store: Store) -> None:
    await open_la_piazza(store)

    before = await store.run(placing())
    await store.run(offering(an_item("margherita", price=990)))
    after = await store.run(placing())

    assert (before.total, after.total) == (850, 990)
    found = await store.run(finding(before.order_id))
    assert found is not None
    assert found.total == 850


async def test_an_order_is_unknown_at_another_restaurant(store: Store) -> None:
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="da-mario")))
    await store.run(offering(an_item(restaurant="da-mario")))
    elsewhere = await store.run(placing(a_place_order("da-mario")))

    with pytest.raises(UnknownOrder):
        await store.run(adding(elsewhere.order_id))
    with pytest.raises(UnknownOrder):
        await store.run(closing(uuid.uuid4()))
    with pytest.raises(UnknownRestaurant):
        await store.run(placing(a_place_order("nowhere")))


async def test_of_two_changes_meant_for_one_version_one_is_refused(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing())

    outcomes = await asyncio.gather(
        *(store.run(adding(order.order_id, version=1)) for _ in range(2)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Order", "VersionMismatch"]
    with pytest.raises(VersionMismatch):
        await store.run(adding(order.order_id, version=1))


async def test_no_change_is_lost_when_many_come_at_once(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing())

    changed = await asyncio.gather(*(store.run(adding(order.order_id)) for _ in range(20)))

    assert sorted(each.version for each in changed) == list(range(2, 22))
    found = await store.run(finding(order.order_id))
    assert found is not None
    assert [each.round for each in found.rounds] == list(range(1, 22))


async def test_a_takeaway_order_closes_with_its_last_round(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=ADA)))
    await store.run(adding(order.order_id))

    await store.run(taking_verdict(order.order_id, 2))
    half_way = await store.run(finding(order.order_id))
    await asyncio.gather(*(store.run(taking_verdict(order.order_id, 1)) for _ in range(3)))
    served = await store.run(finding(order.order_id))

    assert half_way is not None
    assert served is not None
    assert (half_way.status, half_way.version) == (OrderStatus.OPEN, 2)
    assert (served.status, served.version) == (OrderStatus.CLOSED, 3)


async def test_a_dine_in_order_closes_when_it_is_told_to(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    with pytest.raises(StillInTheKitchen):
        await store.run(closing(order.order_id))

    await store.run(taking_verdict(order.order_id, 1))
    closed = await store.run(closing(order.order_id))

    assert (closed.status, closed.version) == (OrderStatus.CLOSED, 2)


async def test_a_cancellation_is_settled_by_the_kitchens_last_answer(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    await store.run(adding(order.order_id))
    locked = await store.run(cancelling(order.order_id))

    await store.run(taking_verdict(order.order_id, 2, KitchenVerdict.VOIDED))
    waiting = await store.run(finding(order.order_id))
    answers = [
        store.run(taking_verdict(order.order_id, n, KitchenVerdict.VOIDED)) for n in (1, 2, 1)
    ]
    await asyncio.gather(*answers)
    settled = await store.run(finding(order.order_id))

    assert waiting is not None
    assert settled is not None
    assert waiting.cancellation == locked.cancellation
    assert (locked.version, waiting.version, settled.version) == (3, 3, 4)
    assert (settled.status, settled.total) == (OrderStatus.CANCELLED, 0)


async def test_a_takeaway_order_closes_when_all_that_was_not_cancelled_is_served(
    store: Store,
) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=ADA)))
    await store.run(adding(order.order_id))
    await store.run(cancelling(order.order_id))

    await store.run(taking_verdict(order.order_id, 1, KitchenVerdict.SERVED))
    await store.run(taking_verdict(order.order_id, 2, KitchenVerdict.VOIDED))
    over = await store.run(finding(order.order_id))

    assert over is not None
    assert (over.status, over.version, over.total) == (OrderStatus.CLOSED, 5, 850)


async def test_the_menu_lists_what_is_not_withdrawn_by_category_and_name(
    store: Store, menus: Menus
) -> None:
    await open_la_piazza(store)
    await store.run(offering(an_item("calzone")))
    await store.run(offering(an_item("lasagne")))
    await store.run(withdrawing("lasagne"))

    items = await list_menu("la-piazza", menus=menus)

    assert [item.sku for item in items] == ["cola", "calzone", "margherita"]


async def test_an_item_that_has_run_out_is_on_the_menu_but_not_to_be_had(
    store: Store, menus: Menus
) -> None:
    await open_la_piazza(store)

    item = await store.run(running_out_of("cola"))
    items = await list_menu("la-piazza", menus=menus)

    assert [each for each in items if each.sku == "cola"] == [item]
    with pytest.raises(CannotOrder):
        await store.run(placing(a_place_order("la-piazza", a_requested_line("cola"))))


async def test_an_item_set_by_many_at_once_has_versions_without_gaps(store: Store) -> None:
    await open_la_piazza(store)

    prices = range(1000, 1010)
    items = await asyncio.gather(
        *(store.run(offering(an_item("tiramisu", price=price))) for price in prices)
    )

    assert sorted(item.version for item in items) == list(range(1, 11))


async def test_a_use_case_that_dawdles_between_asking_for_an_order_and_changing_it_loses_no_change(
    store: Store,
) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))

    async def dawdle(transaction: Transaction) -> Order:
        pending_order = transaction.order_to_change(order.order_id)
        await finding(order.order_id)(transaction)
        await asyncio.sleep(0.05)
        return await pending_order.change(a_further_round)

    changed = await asyncio.gather(
        *(store.run(use_case) for use_case in (dawdle, adding(order.order_id), dawdle))
    )

    assert sorted(each.version for each in changed) == [2, 3, 4]


async def test_a_decision_that_would_wait_for_something_decides_nothing(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing())

    async def wait(transaction: Transaction) -> Order:
        decided_later = asyncio.get_running_loop().create_future()
        pending_order = transaction.order_to_change(order.order_id)
        return await pending_order.change(lambda _: decided_later)  # type: ignore[arg-type, return-value]

    with pytest.raises(AttributeError, match="Future"):
        await store.run(wait)
    assert await store.run(finding(order.order_id)) == order


def a_further_round(current: Order | None) -> Decision[Order]:
    assert current is not None
    event = current.add_items((a_line(),), at=NOON, actor=None)
    return Decision(event.order, (event,))


def answering(command: PlaceOrder) -> Callable[[Transaction], Awaitable[Answer]]:
    async def place(transaction: Transaction) -> Answer:
        order = await placing(command)(transaction)
        return Answer(status=201, version=order.version, location=None, body=order.number)

    return place


async def test_a_request_that_is_repeated_is_answered_again(store: Store) -> None:
    await open_la_piazza(store)
    request = KeyedRequest("la-piazza", "till-1/17", "fingerprint")

    first = await store.run_once(request, answering(a_place_order()))
    again = await store.run_once(request, answering(a_place_order()))

    assert again == first
    assert (await store.run(placing())).number == "A-002"


async def test_a_key_names_one_request_of_one_restaurant(store: Store) -> None:
    await open_la_piazza(store)
    await store.run_once(KeyedRequest("la-piazza", "key", "one"), answering(a_place_order()))

    with pytest.raises(KeyReused):
        await store.run_once(KeyedRequest("la-piazza", "key", "other"), answering(a_place_order()))
    elsewhere = KeyedRequest("da-mario", "key", "other")
    assert (await store.run_once(elsewhere, answering(a_place_order()))).body == "A-002"


async def test_a_refused_request_may_be_tried_again_with_its_key(store: Store) -> None:
    await open_la_piazza(store)
    request = KeyedRequest("la-piazza", "key", "fingerprint")
    with pytest.raises(CannotOrder):
        await store.run_once(
            request, answering(a_place_order("la-piazza", a_requested_line("sushi")))
        )

    await store.run(offering(an_item("sushi")))
    answer = await store.run_once(
        request, answering(a_place_order("la-piazza", a_requested_line("sushi")))
    )

    assert answer.body == "A-001"
