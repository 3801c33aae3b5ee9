"""`python -m ordering forget`: guests are forgotten, by phone number, name or order."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, NoReturn
from uuid import UUID

import nats.errors
import typer
from service_kit.nats.jetstream import connected
from service_kit.runtime.nats_servers import NatsServers
from service_kit.runtime.terminal import printable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.transaction import StoreUnavailable
from ordering.outbound.database.errors import reason_of
from ordering.outbound.forgetting.guests import Guests, Outcome, Wanted
from ordering.outbound.forgetting.identity import digits_of, plain_name
from ordering.outbound.forgetting.published_ledger import published_ledger

HELP = "Forget a guest: his name, phone number and notes go everywhere, numbers and sums stay."
PUBLISHED_TIMEOUT_S = 120.0
"""Seconds in which NATS has said all that it knows of."""

Restaurant = Annotated[str | None, typer.Argument(help="The restaurant's slug.")]
Phone = Annotated[str | None, typer.Option(help="All orders with this phone number.")]
Customer = Annotated[str | None, typer.Option(help="All orders of this name.")]
OrderId = Annotated[UUID | None, typer.Option("--order", help="This one order, by its id.")]
Again = Annotated[
    bool, typer.Option("--again", help="All who were ever forgotten: a backup was restored.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]


def forget_app(
    engine: Callable[[], AsyncEngine],
    servers: Callable[[], NatsServers],
    *,
    new_id: Callable[[], UUID],
    clock: Callable[[], datetime],
) -> typer.Typer:
    """The command; it needs PostgreSQL, and to do all again NATS. The services do the rest.

    `servers` have a user who may read `ORDERS` and its archive.
    """
    app = typer.Typer(help=HELP, add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def forget(
        restaurant: Restaurant = None,
        *,
        phone: Phone = None,
        customer: Customer = None,
        order: OrderId = None,
        again: Again = False,
        dry_run: DryRun = False,
    ) -> None:
        """Forget a guest in all of his orders that are over.

        It is safe to repeat. What is under way is named, and left: run it again once it is over.
        """
        is_named = restaurant is not None and bool(phone or customer) != (order is not None)
        if again == is_named or (again and (restaurant or phone or customer or order)):
            _note("Say whom: RESTAURANT with --phone, --customer or --order; or --again alone.")
            raise typer.Exit(2)
        if (phone is not None and not digits_of(phone)) or (
            customer is not None and not plain_name(customer)
        ):
            _note("That is nobody: a phone number has digits, and a name has letters.")
            raise typer.Exit(2)

        async def run(guests: Guests) -> Outcome | int:
            if again:
                entries = await guests.ledger()
                async with asyncio.timeout(PUBLISHED_TIMEOUT_S):
                    async with connected(servers(), "ordering-forget") as client:
                        entries += await published_ledger(client)
                count = len({each.order_id for each in entries})
                return count if dry_run else await guests.forget_again(entries)
            wanted = Wanted(
                restaurant=restaurant or "", phone=phone, customer=customer, order_id=order
            )
            found = await guests.orders_of(wanted)
            return len(found) if dry_run else await guests.forget(wanted.restaurant, found)

        async def connect_and_run() -> Outcome | int:
            store = engine()
            try:
                return await run(Guests(store, new_id=new_id, clock=clock))
            finally:
                await store.dispose()

        _end(_outcome_of(connect_and_run))

    return app


def _outcome_of(run: Callable[[], Awaitable[Outcome | int]]) -> Outcome | int:
    try:
        return asyncio.run(run())  # type: ignore[arg-type]
    except (DBAPIError, PoolTimeoutError, StoreUnavailable) as error:
        _note(f"PostgreSQL: {reason_of(error)}\nRun it again: to forget twice does no harm.")
    except (nats.errors.Error, OSError, TimeoutError) as error:
        _note(f"PostgreSQL or NATS: {type(error).__name__}: {error}\nRun it again.")
    raise typer.Exit(1)


def _end(outcome: Outcome | int) -> NoReturn:
    if isinstance(outcome, int):
        print(f"There are {outcome:,} orders.")
        raise typer.Exit(0)
    print(f"Forgot the guests of {outcome.forgotten:,} orders.")
    if outcome.unknown:
        _note(f"{outcome.unknown:,} orders are not known here.")
    for each in outcome.not_over:
        _note(each)
    raise typer.Exit(1 if outcome.not_over or outcome.unknown else 0)


def _note(message: str) -> None:
    print(printable(message), file=sys.stderr, flush=True)
