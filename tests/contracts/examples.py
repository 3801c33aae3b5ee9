"""One realistic example of every published event."""

from datetime import UTC, date, datetime
from uuid import UUID

import comanda_contracts as contracts

AT = datetime(2026, 5, 4, 18, 30, 0, 250_000, tzinfo=UTC)
ORDER_ID = UUID("01968f6e-3d2a-7c1b-9a4e-5f60718293a4")

RESTAURANT = contracts.Restaurant(
    restaurant="la-piazza", version=1, name="La Piazza", currency="EUR", time_zone="Europe/Rome"
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
    rounds=(
        contracts.Round(
            round=1,
            lines=(
                contracts.Line(
                    sku="margherita",
                    name="Margherita",
                    unit_price=850,
                    quantity=2,
                    note="no basil",
                ),
            ),
            ordered_at=AT,
        ),
    ),
    total=1700,
    placed_at=AT,
)
TICKET = contracts.Ticket(
    restaurant="la-piazza",
    version=1,
    order_id=ORDER_ID,
    round=1,
    number="A-017",
    channel=contracts.Channel.DINE_IN,
    table="12",
    lines=(contracts.TicketLine(sku="margherita", name="Margherita", quantity=2),),
    status=contracts.TicketStatus.QUEUED,
    ordered_at=AT,
)

EXAMPLES: list[contracts.Event] = [
    contracts.RestaurantSet(at=AT, restaurant=RESTAURANT),
    contracts.MenuItemSet(at=AT, item=ITEM),
    contracts.MenuItemWithdrawn(at=AT, actor="Gina", item=ITEM, reason="out of season"),
    contracts.OrderPlaced(at=AT, actor="Luigi", order=ORDER),
    contracts.ItemsAdded(at=AT, order=ORDER, round=2),
    contracts.CancellationRequested(at=AT, order=ORDER),
    contracts.CancellationRefused(
        at=AT, order=ORDER, refused=(1,), voided=(2,), reason="the guests left"
    ),
    contracts.ItemsCancelled(at=AT, order=ORDER, rounds=(2,), reason="ordered twice"),
    contracts.OrderCancelled(at=AT, order=ORDER, reason="the guests left"),
    contracts.OrderClosed(at=AT, order=ORDER),
    contracts.TicketQueued(at=AT, ticket=TICKET),
    contracts.TicketStarted(at=AT, actor="Gina", ticket=TICKET),
    contracts.TicketReady(at=AT, ticket=TICKET),
    contracts.TicketRecalled(at=AT, ticket=TICKET),
    contracts.TicketServed(at=AT, ticket=TICKET),
    contracts.TicketVoided(at=AT, ticket=TICKET),
    contracts.TicketVoidRefused(at=AT, ticket=TICKET),
]
