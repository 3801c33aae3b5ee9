"""`python -m <service> dead-letters list | show | replay | discard`, the same for every service.

Nothing of a letter reaches the terminal but printable text: whoever sent it may have written it for
the operator's terminal.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, NoReturn

import nats.errors
import structlog
import typer
from comanda_contracts.envelope import rfc3339
from nats.js import JetStreamContext

from service_kit.nats.broker import CONNECT_TIMEOUT_S, Broker
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.letter_box import (
    Letter,
    NoSuchLetter,
    NotNow,
    discard,
    letter,
    letters,
    replay,
)
from service_kit.runtime.settings import ServiceSettings, load
from service_kit.runtime.terminal import printable, printable_json, printable_lines

HELP = "Messages that could not be read or carried out and were set aside; replay them at any time."

Numbers = Annotated[list[int] | None, typer.Argument(help="As in the list.")]
All = Annotated[bool, typer.Option("--all", help="All of this service.")]
Reason = Annotated[
    str, typer.Option(help="Those whose reason begins so, such as unknown-type.", metavar="TEXT")
]
Whose = Annotated[str, typer.Option("--service", help="Who set it aside; * for all.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object for each.")]

Actor = Annotated[
    str | None,
    typer.Option(
        help="Subject of the token as whose commands those are carried out that no good token was "
        "seen of; without it they stay.",
        metavar="SUBJECT",
    ),
]

Connected = Callable[..., AbstractAsyncContextManager[Broker]]
"""The service's broker with its handlers, connected, and consuming nothing.

Of a service of commands it is given whose those are that nobody is known of: a subject, or None.
"""


def dead_letters_app(
    service: str, connected_broker: Connected, *, done: str, of_commands: bool = False
) -> typer.Typer:
    """The commands of one service; `done` says what a replayed message is then.

    All but `replay` need NATS and nothing else of what the service needs.
    """
    app = typer.Typer(
        no_args_is_help=True, help=HELP, add_completion=False, pretty_exceptions_enable=False
    )

    @app.command(name="list")
    def list_letters(
        *, whose: Whose = service, reason: Reason = "", as_json: AsJson = False
    ) -> None:
        """List them, oldest first."""
        to_text = _json_line if as_json else partial(_lines, service)
        _run(service, partial(_list, whose, reason, to_text))

    @app.command()
    def show(number: int, *, whose: Whose = service) -> None:
        """Show one: its headers, an empty line, its body."""
        _run(service, partial(_show, number, whose))

    def replay_chosen(
        connect: Connected, numbers: list[int] | None, *, every: bool, reason: str
    ) -> None:
        _require_choice(numbers, every=every, reason=reason)

        async def command(js: JetStreamContext) -> bool:
            async with connect() as broker:
                return await _replay(_chosen(js, service, numbers, reason), broker, done)

        _run(service, command)

    def replay_events(numbers: Numbers = None, *, every: All = False, reason: Reason = "") -> None:
        """Handle them again, as if they came now; what still fails stays.

        Ends with 1 if something does.
        """
        replay_chosen(connected_broker, numbers, every=every, reason=reason)

    def replay_commands(
        numbers: Numbers = None, *, every: All = False, reason: Reason = "", actor: Actor = None
    ) -> None:
        """Carry them out, as if they came now from whoever sent them; what still fails stays.

        Ends with 1 if something does.
        """
        connect = partial(connected_broker, actor)
        replay_chosen(connect, numbers, every=every, reason=reason)

    app.command(name="replay")(replay_commands if of_commands else replay_events)

    @app.command(name="discard")
    def discard_letters(
        numbers: Numbers = None, *, every: All = False, reason: Reason = ""
    ) -> None:
        """Throw them away for good."""
        _require_choice(numbers, every=every, reason=reason)

        async def command(js: JetStreamContext) -> bool:
            return await _discard(_chosen(js, service, numbers, reason), js)

        _run(service, command)

    return app


Chosen = AsyncIterator[tuple[int, Letter | None]]
"""Letters by their numbers; None if there is none of that number."""


async def _list(
    whose: str, reason: str, to_text: Callable[[Letter], str], js: JetStreamContext
) -> bool:
    count = 0
    async for each in letters(js, whose, reason=reason):
        count += 1
        print(to_text(each), flush=True)
    _note("1 dead letter." if count == 1 else f"{count:,} dead letters.")
    return True


async def _show(number: int, whose: str, js: JetStreamContext) -> bool:
    found = await _one(js, number, whose)
    if found is None:
        return False
    for name, text in found.headers.items():
        print(printable(f"{name}: {text}"))
    print(f"\n{printable_lines(found.body.decode(errors='replace'))}")
    return True


async def _replay(chosen: Chosen, broker: Broker, done: str) -> bool:
    went_well = True
    async for number, each in chosen:
        why = await replay(broker, each) if each else "it is not there"
        print(printable(f"{number}: {why or done}"), flush=True)
        went_well = went_well and not why
    return went_well


async def _discard(chosen: Chosen, js: JetStreamContext) -> bool:
    went_well = True
    async for number, each in chosen:
        if each:
            await discard(js, each)
        print(f"{number}: {'discarded' if each else 'it is not there'}", flush=True)
        went_well = went_well and each is not None
    return went_well


def _run(service: str, command: Callable[[JetStreamContext], Awaitable[bool]]) -> NoReturn:
    """Run the command, and end with 0 if it returns True, else with 1; also if it can't be done."""
    settings = load(ServiceSettings)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        went_well = asyncio.run(_connect_and_run(settings, service, command))
    except NotNow as error:
        _give_up(f"It can't be done now: {error}")
    except (nats.errors.Error, TimeoutError, OSError) as error:
        _give_up(
            f"NATS does not answer, or this user may not: {type(error).__name__} {error}. "
            "COMANDA_NATS_URL has to name a user who may read and remove dead letters."
        )
    except KeyboardInterrupt:
        _give_up("Interrupted.")
    raise typer.Exit(0 if went_well else 1)


async def _connect_and_run(
    settings: ServiceSettings, service: str, command: Callable[[JetStreamContext], Awaitable[bool]]
) -> bool:
    async with contextlib.AsyncExitStack() as connections:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = connected(settings.nats_servers, f"{service}-dead-letters")
            client = await connections.enter_async_context(connection)
        return await command(jetstream(client))


def _require_choice(numbers: Sequence[int] | None, *, every: bool, reason: str) -> None:
    if bool(numbers) + every + bool(reason) != 1:
        _note("Say which: by their numbers, by --reason, or --all.")
        raise typer.Exit(2)


async def _chosen(
    js: JetStreamContext, service: str, numbers: Sequence[int] | None, reason: str
) -> Chosen:
    """Those of the service's that are named, or all whose reason begins so."""
    if numbers:
        for number in numbers:
            yield number, await _one(js, number, service)
    else:
        async for each in letters(js, service, reason=reason):
            yield each.number, each


async def _one(js: JetStreamContext, number: int, service: str) -> Letter | None:
    try:
        return await letter(js, number, service)
    except NoSuchLetter as error:
        _note(str(error))
        return None


def _lines(service: str, each: Letter) -> str:
    of = f"{each.service}: " if each.service != service else ""
    origin = f"{each.stream} {each.sequence or '?'}"
    return "\n".join(
        [
            printable(f"{each.number}  {of}{origin}  {each.subject}"),
            printable(f"    {each.reason}"),
        ]
    )


def _json_line(each: Letter) -> str:
    return printable_json(
        {
            "number": each.number,
            "service": each.service,
            "since": rfc3339(each.since) if each.since else None,
            "stream": each.stream,
            "sequence": each.sequence,
            "subject": each.subject,
            "reason": each.reason,
            "body": each.body.decode(errors="replace"),
        }
    )


def _note(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def _give_up(reason: str) -> NoReturn:
    _note(reason)
    raise typer.Exit(1)
