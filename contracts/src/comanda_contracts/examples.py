"""An example of every event, as on an evening at La Piazza; also for tests of your own."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import comanda_contracts as contracts
from comanda_contracts.access import hash_of_subject
from comanda_contracts.envelope import Event, State

AT = datetime(2026, 5, 4, 18, 30, 0, 250_000, tzinfo=UTC)
"""When the guests of table 12 order."""
ORDER_ID = UUID("019df4a4-ae5a-7c1b-9a4e-5f60718293a4")
TAKEAWAY_ID = UUID("019df4b0-21f4-7d02-8c3d-2b4a69788fe1")

AnyState = TypeVar("AnyState", bound=State)
AnyLine = TypeVar("AnyLine", contracts.Line, contracts.TicketLine)


def _after(minutes: float) -> datetime:
    return AT + timedelta(minutes=minutes)


def _next(state: AnyState, **changes: Any) -> AnyState:
    """The next version of an aggregate."""
    fields = {**state.model_dump(), "version": state.version + 1, **changes}
    return type(state).model_validate(fields)


def _without_notes(lines: Iterable[AnyLine]) -> tuple[AnyLine, ...]:
    return tuple(each.model_copy(update={"note": None}) for each in lines)


LUIGI = contracts.Sender(subject="Luigi", device="till-3", role="till")
GINA = contracts.Sender(subject="Gina", role="manager")

RESTAURANT = contracts.Restaurant(
    restaurant="la-piazza",
    version=1,
    name="La Piazza",
    currency="EUR",
    time_zone="Europe/Rome",
    day_begins="04:00",
)
ITEM = contracts.MenuItem(
    restaurant="la-piazza",
    version=2,
    sku="margherita",
    name="Margherita",
    category="Pizza",
    price=850,
    available=True,
)

WITHDRAWAL = contracts.Withdrawal(
    restaurant="la-piazza",
    version=1,
    subject_hash=hash_of_subject("luigi@example.com"),
    withdrawn_at=_after(300),
)

FOOD = contracts.Round(
    round=1,
    lines=(
        contracts.Line(
            sku="margherita", name="Margherita", unit_price=850, quantity=2, note="no basil"
        ),
        contracts.Line(sku="insalata-mista", name="Insalata mista", unit_price=600, quantity=1),
    ),
    ordered_at=AT,
)
DESSERT = contracts.Round(
    round=2,
    lines=(contracts.Line(sku="tiramisu", name="Tiramisù", unit_price=550, quantity=2),),
    ordered_at=_after(25),
)
ORDER = contracts.Order(
    restaurant="la-piazza",
    version=1,
    order_id=ORDER_ID,
    number="A-017",
    business_day=date(2026, 5, 4),
    channel=contracts.Channel.DINE_IN,
    table="12",
    guests=2,
    currency="EUR",
    status=contracts.OrderStatus.OPEN,
    rounds=(FOOD,),
    total=2300,
    placed_at=AT,
)
WITH_DESSERT = _next(ORDER, rounds=(FOOD, DESSERT), total=3400)
UNDECIDED = _next(
    WITH_DESSERT,
    status=contracts.OrderStatus.CANCELLING,
    cancellation=contracts.Cancellation(
        rounds=(1, 2), reason="the guests must leave", actor="Luigi", requested_at=_after(27)
    ),
)
WITHOUT_DESSERT = _next(
    UNDECIDED,
    status=contracts.OrderStatus.OPEN,
    rounds=(FOOD, DESSERT.model_copy(update={"voided": True})),
    total=2300,
    cancellation=None,
)
TAKEAWAY = contracts.Order(
    restaurant="la-piazza",
    version=1,
    order_id=TAKEAWAY_ID,
    number="A-018",
    business_day=date(2026, 5, 4),
    channel=contracts.Channel.TAKEAWAY,
    customer="Ada",
    phone="+39 06 1234567",
    currency="EUR",
    status=contracts.OrderStatus.OPEN,
    rounds=(FOOD.model_copy(update={"ordered_at": _after(12)}),),
    total=2300,
    placed_at=_after(12),
)
CANCELLED = _next(
    TAKEAWAY,
    version=3,
    status=contracts.OrderStatus.CANCELLED,
    rounds=(TAKEAWAY.rounds[0].model_copy(update={"voided": True}),),
    total=0,
)
FORGOTTEN = _next(
    CANCELLED,
    customer=None,
    phone=None,
    rounds=(CANCELLED.rounds[0].model_copy(update={"lines": _without_notes(FOOD.lines)}),),
)

TICKET = contracts.Ticket(
    restaurant="la-piazza",
    version=1,
    order_id=ORDER_ID,
    round=1,
    number="A-017",
    channel=contracts.Channel.DINE_IN,
    table="12",
    guests=2,
    lines=tuple(
        contracts.TicketLine(sku=line.sku, name=line.name, quantity=line.quantity, note=line.note)
        for line in FOOD.lines
    ),
    status=contracts.TicketStatus.QUEUED,
    ordered_at=AT,
)
PREPARING = _next(TICKET, status=contracts.TicketStatus.PREPARING, started_at=_after(2))
READY = _next(PREPARING, status=contracts.TicketStatus.READY, ready_at=_after(11))
RECALLED = _next(READY, status=contracts.TicketStatus.PREPARING)
REFUSED = _next(PREPARING)
SERVED = _next(READY, status=contracts.TicketStatus.SERVED, served_at=_after(14))
RESTATED = _next(READY, version=4_000_000)
ABANDONED = _next(READY, status=contracts.TicketStatus.ABANDONED)
TICKET_FORGOTTEN = _next(SERVED, lines=_without_notes(SERVED.lines))
VOIDED = _next(
    TICKET,
    round=2,
    lines=(contracts.TicketLine(sku="tiramisu", name="Tiramisù", quantity=2),),
    status=contracts.TicketStatus.VOIDED,
    ordered_at=_after(25),
)

EXAMPLES: list[Event] = [
    contracts.OrderPlaced(at=AT, actor="Luigi", by=LUIGI, order=ORDER),
    contracts.ItemsAdded(at=_after(25), actor="Luigi", by=LUIGI, order=WITH_DESSERT, round=2),
    contracts.CancellationRequested(at=_after(27), actor="Luigi", by=LUIGI, order=UNDECIDED),
    contracts.CancellationRefused(
        at=_after(27.1),
        actor="Luigi",
        by=LUIGI,
        order=WITHOUT_DESSERT,
        refused=(1,),
        voided=(2,),
        reason="the guests must leave",
    ),
    contracts.ItemsCancelled(
        at=_after(27.1),
        actor="Luigi",
        by=LUIGI,
        order=WITHOUT_DESSERT,
        rounds=(2,),
        reason="ordered twice",
    ),
    contracts.OrderCancelled(
        at=_after(15), actor="Luigi", by=LUIGI, order=CANCELLED, reason="the customer rang off"
    ),
    contracts.OrderClosed(
        at=_after(50), order=_next(WITHOUT_DESSERT, status=contracts.OrderStatus.CLOSED)
    ),
    contracts.OrderRestated(
        at=_after(13), order=_next(ORDER, version=4), open_rounds=(1,), served_rounds=()
    ),
    contracts.OrderForgotten(at=_after(300), actor="Gina", by=GINA, order=FORGOTTEN),
    contracts.TicketQueued(at=AT, ticket=TICKET),
    contracts.TicketStarted(at=_after(2), actor="Gina", by=GINA, ticket=PREPARING),
    contracts.TicketReady(at=_after(11), actor="Gina", by=GINA, ticket=READY),
    contracts.TicketRecalled(at=_after(12), actor="Gina", by=GINA, ticket=RECALLED),
    contracts.TicketServed(at=_after(14), actor="Luigi", by=LUIGI, ticket=SERVED),
    contracts.TicketVoided(at=_after(27), ticket=VOIDED),
    contracts.TicketVoidRefused(at=_after(27), ticket=REFUSED),
    contracts.TicketAbandoned(at=_after(300), actor="Gina", by=GINA, ticket=ABANDONED),
    contracts.TicketRestated(at=_after(13), ticket=RESTATED),
    contracts.TicketForgotten(at=_after(300), ticket=TICKET_FORGOTTEN),
    contracts.MenuItemSet(at=AT, actor="Gina", by=GINA, item=ITEM),
    contracts.MenuItemWithdrawn(
        at=_after(300),
        actor="Gina",
        by=GINA,
        item=_next(ITEM, available=False, withdrawn=True),
        reason="out of season",
    ),
    contracts.RestaurantSet(at=AT, restaurant=RESTAURANT),
    contracts.AccessWithdrawn(at=_after(300), actor="Gina", by=GINA, withdrawal=WITHDRAWAL),
]

PLACE_ORDER = {
    "channel": "takeaway",
    "customer": "Ada",
    "phone": "+39 06 1234567",
    "lines": [{"sku": "margherita", "quantity": 2, "note": "no basil"}],
}
"""The body of a command `place-order`."""
