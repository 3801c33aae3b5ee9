"""`python -m ordering parked list | show | release`: the events that can't be published."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from comanda_contracts.envelope import rfc3339
from service_kit.runtime.terminal import printable, printable_json, printable_lines
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.database.errors import reason_of
from ordering.outbound.outbox.parked_events import parked_event, release, select_parked

HELP = "Events that can't be published and were parked, each with those of its order behind it."

Numbers = Annotated[list[int] | None, typer.Argument(help="As in the list.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
Reason = Annotated[str, typer.Option(help="Those whose reason begins so.", metavar="TEXT")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object for each.")]

RELEASED_AGGREGATES = 100
"""Aggregates that are released in one transaction: meanwhile nothing is parked."""

Command = Callable[[AsyncConnection], Awaitable[bool]]


def parked_app(engine: Callable[[], AsyncEngine]) -> typer.Typer:
    """The commands; they need PostgreSQL and nothing else of what ordering needs."""
    run = partial(_run, engine)
    app = typer.Typer(
        no_args_is_help=True, help=HELP, add_completion=False, pretty_exceptions_enable=False
    )

    @app.command(name="list")
    def list_events(*, reason: Reason = "", as_json: AsJson = False) -> None:
        """List them, oldest first."""
        run(partial(_list, reason, as_json))

    @app.command()
    def show(number: int) -> None:
        """Show one: its headers, an empty line, its body."""
        run(partial(_show, number))

    @app.command(name="release")
    def release_events(numbers: Numbers = None, *, every: All = False, reason: Reason = "") -> None:
        """Have them published, each with all that is parked of its order.

        What still can't be published is parked again.
        """
        if bool(numbers) + every + bool(reason) != 1:
            _note("Say which: by their numbers, by --reason, or --all.")
            raise typer.Exit(2)
        run(partial(_release, numbers, reason))

    return app


async def _list(reason: str, as_json: bool, connection: AsyncConnection) -> bool:
    count = 0
    async for each in _parked(connection, reason):
        whole = await parked_event(connection, each.id) if as_json else None
        if as_json and whole is None:
            continue  # it has been released meanwhile
        count += 1
        print(_json_line(whole) if as_json else _lines(each), flush=True)
    _note(f"{count:,} parked events.")
    return True


async def _show(number: int, connection: AsyncConnection) -> bool:
    for each in await _named(connection, [number]):
        for name, value in each.headers.items():
            print(printable(f"{name}: {value}"))
        print(f"\n{printable_lines(each.body.decode(errors='replace'))}")
        return True
    return False


async def _release(numbers: Sequence[int] | None, reason: str, connection: AsyncConnection) -> bool:
    if numbers:
        chosen = await _named(connection, numbers)
        aggregates = {each.aggregate for each in chosen}
    else:
        aggregates = {each.aggregate async for each in _parked(connection, reason)}
    await connection.commit()
    for some in _chunks(sorted(aggregates)):
        released = await release(connection, some)
        await connection.commit()  # what the lock holds up waits for no terminal
        for number in released:
            print(f"{number}: released", flush=True)
    return not numbers or len(chosen) == len(set(numbers))


def _chunks(aggregates: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(aggregates), RELEASED_AGGREGATES):
        yield aggregates[first : first + RELEASED_AGGREGATES]


async def _parked(connection: AsyncConnection, reason: str = "") -> AsyncIterator[Any]:
    last = 0
    while page := await select_parked(connection, after=last, reason=reason):
        for each in page:
            yield each
        last = page[-1].id


async def _named(connection: AsyncConnection, numbers: Sequence[int]) -> list[Any]:
    """The events of these numbers; of one that is not there a note."""
    found = []
    for number in sorted(set(numbers)):
        if each := await parked_event(connection, number):
            found.append(each)
        else:
            _note(f"There is no parked event {number}.")
    return found


def _run(engine: Callable[[], AsyncEngine], command: Command) -> NoReturn:
    """Run the command, and end with 0 if it returns True, else with 1; also if it can't be done."""
    try:
        went_well = asyncio.run(_connect_and_run(engine(), command))
    except (DBAPIError, OSError, TimeoutError) as error:
        _note(f"PostgreSQL: {reason_of(error)}")
        raise typer.Exit(1) from None
    raise typer.Exit(0 if went_well else 1)


async def _connect_and_run(engine: AsyncEngine, command: Command) -> bool:
    try:
        async with engine.connect() as connection:
            return await command(connection)
    finally:
        await engine.dispose()


def _lines(each: Any) -> str:
    return f"{printable(f'{each.id}  {each.subject}')}\n{printable(f'    {each.reason}')}"


def _json_line(each: Any) -> str:
    return printable_json(
        {
            "number": each.id,
            "since": rfc3339(each.parked_at),
            "subject": each.subject,
            "reason": each.reason,
            "body": each.body.decode(errors="replace"),
        }
    )


def _note(message: str) -> None:
    print(printable(message), file=sys.stderr, flush=True)
