"""`python -m ordering republish`: the present state is published again, after streams were lost."""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, NoReturn
from uuid import UUID

import typer
from service_kit.runtime.terminal import printable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.transaction import StoreUnavailable
from ordering.outbound.database.errors import reason_of
from ordering.outbound.republish.restatements import (
    FROM_THE_BEGINNING,
    Counts,
    Restatements,
    Scope,
)

HELP = "Publish restaurants, menus and orders again, after the streams lost them."
DAYS = 1
"""Days of whose orders the finished ones are restated, too, unless it is said otherwise."""

Days = Annotated[
    int,
    typer.Option(
        min=0, help="Of finished orders those that were placed in so many days: what was lost."
    ),
]
All = Annotated[bool, typer.Option("--all", help="All orders: query's history is to come back.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")]


def republish_app(
    engine: Callable[[], AsyncEngine],
    *,
    new_id: Callable[[], UUID],
    clock: Callable[[], datetime],
) -> typer.Typer:
    """The command; it needs PostgreSQL alone: the relays of the running service publish."""
    app = typer.Typer(help=HELP, add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def republish(*, days: Days = DAYS, every: All = False, dry_run: DryRun = False) -> None:
        """Have restaurants, menus and orders published again, each at its next version.

        Every order that is not over, and those of the last day, or of so many. Run it while
        ordering runs. It is safe to repeat, and to interrupt.
        """
        now = clock()
        since = FROM_THE_BEGINNING if every else now - timedelta(days=days)
        scope = Scope(since, now)

        async def run() -> None:
            connected = engine()
            restatements = Restatements(
                connected, new_id=new_id, clock=clock, waits_for_relay=_say_waiting
            )
            try:
                if dry_run:
                    print(f"There are {_in_words(await restatements.count(scope))}.")
                    return
                await restatements.restate(scope)
                print(f"Restated {_in_words(restatements.done)}.")
            finally:
                await connected.dispose()

        _run(run)

    return app


def _run(run: Callable[[], object]) -> NoReturn:
    try:
        asyncio.run(run())  # type: ignore[arg-type]
    except (DBAPIError, PoolTimeoutError, StoreUnavailable, OSError, TimeoutError) as error:
        _note(f"PostgreSQL: {reason_of(error)}\nRun it again: to say a thing twice does no harm.")
        raise typer.Exit(1) from None
    raise typer.Exit(0)


def _in_words(counts: Counts) -> str:
    unfinished = f" ({counts.unfinished:,} not over)" if counts.unfinished else ""
    return (
        f"{counts.restaurants:,} restaurants, {counts.items:,} menu items "
        f"and {counts.orders:,} orders{unfinished}"
    )


def _say_waiting() -> None:
    _note("The relay is given time to publish: is ordering running, and NATS there?")


def _note(message: str) -> None:
    print(printable(message), file=sys.stderr, flush=True)
