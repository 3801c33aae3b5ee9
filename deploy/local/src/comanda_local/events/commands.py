"""`comanda events tail` and `comanda events trigger`."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from comanda_contracts import (
    OrderForgotten,
    OrderRestated,
    TicketForgotten,
    TicketRestated,
    subjects,
)
from comanda_contracts.reading import EVENTS
from comanda_contracts.streams import Archive
from comanda_contracts.subjects import SLUG_PATTERN
from nats.aio.msg import Msg

from comanda_local import api
from comanda_local.events import lines
from comanda_local.events.tail import messages, unsettled
from comanda_local.events.trigger import ARRIVAL_TIMEOUT_S, RESTAURANT, Trial
from comanda_local.interrupts import run
from comanda_local.options import DEFAULT_DATA, Data, NatsUrl, OrderingUrl, QueryUrl, ServingUrl
from comanda_local.plain_words import in_plain_words
from comanda_local.processes import CannotStart
from comanda_local.server_files import connect_nats
from comanda_local.stack import NATS_URL
from comanda_local.system_urls import SystemUrls, find_nats
from comanda_local.teams import (
    JETSTREAM_API,
    SUBJECTS_BY_STREAM,
    Grant,
    NotGranted,
    check_name,
)

NKEY = "COMANDA_NATS_NKEY"
LOOK_INTERVAL_S = 0.5
NOT_TRIGGERED = {
    *(OrderRestated.TYPE, TicketRestated.TYPE),
    *(OrderForgotten.TYPE, TicketForgotten.TYPE),
}
"""Events after a loss of streams, which no trial brings about; and of a guest who is forgotten:
they would erase the others.
"""
"""Seconds between two looks at what has come."""

app = typer.Typer(
    no_args_is_help=True, help="What passes on the streams, and every event once to try with."
)


@dataclass(frozen=True, slots=True)
class Look:
    """What of a stream is looked at."""

    grant: Grant
    history: bool
    waits: bool
    count: int | None


@app.command()
def tail(
    subject: Annotated[str, typer.Argument(help="A filter: orders.v1.>, tickets.v1.*.*.*.ready")],
    *,
    history: Annotated[
        bool, typer.Option("--history", help="What is stored first, from the beginning.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End where the stream ends, rather than wait.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    json: Annotated[bool, typer.Option("--json", help="All of each, as a line of JSON.")] = False,
    team: Annotated[
        str | None,
        typer.Option(help="As this team: what it has not settled, which is given back in the end."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The team's key; <data>/nats/keys/<team>.nk by default.")
    ] = None,
    data: Data = DEFAULT_DATA,
    nats_url: NatsUrl = None,
) -> None:
    """Print the events that fit a subject as they come, until Ctrl-C.

    By default as the operator, with a consumer of its own that nobody notices.
    """
    with in_plain_words(), contextlib.suppress(KeyboardInterrupt):
        look = Look(Grant.of(subject), history, not stop, count)
        show = lines.as_json if json else lines.readable
        url, files = _nats(data, nats_url)
        if team is None:
            run(_print_as_operator(url, files, look, show))
            return
        check_name(team)
        files |= {NKEY: str(key or data / "nats" / "keys" / f"{team}.nk")}
        run(_print_as_team(url, files, look, team, show))


@app.command()
def trigger(
    restaurant: Annotated[
        str, typer.Argument(help="Where: one that is for nothing else. It is opened.")
    ] = RESTAURANT,
    *,
    data: Data = DEFAULT_DATA,
    ordering: OrderingUrl = None,
    serving: ServingUrl = None,
    query: QueryUrl = None,
    nats_url: NatsUrl = None,
) -> None:
    """Have every event happen once, through the services, on a restaurant of its own.

    It says what it did, and what came of it on the streams. It may be repeated. A restaurant that
    is there and was not opened by this command is left alone.
    """
    with in_plain_words():
        if not re.fullmatch(SLUG_PATTERN, restaurant):
            raise NotGranted(f"{restaurant!r} is no restaurant's slug")
        given = {
            "ordering": ordering,
            "serving": serving,
            "query": query,
            "nats": nats_url,
            "access": os.environ.get("COMANDA_ACCESS"),
            "token_file": os.environ.get("COMANDA_TOKEN_FILE"),
        }
        system = SystemUrls.find(data, given, with_database=False)
        url, files = _nats(data, nats_url)
        missing = run(_trigger(system, restaurant, url, files))
        if missing:
            typer.secho(f"not seen on the streams: {', '.join(sorted(missing))}", fg="red")
            raise typer.Exit(1)


async def _print_as_operator(
    url: str, files: Mapping[str, str], look: Look, show: Callable[[Msg], str]
) -> None:
    async with await connect_nats(url, files) as client:
        after = 0 if look.history else None
        js = client.jetstream(prefix=JETSTREAM_API)
        await _print(messages(js, look.grant, after=after, waits=look.waits), look.count, show)


async def _print_as_team(
    url: str, files: Mapping[str, str], look: Look, team: str, show: Callable[[Msg], str]
) -> None:
    servers = ",".join(_without_user(each) for each in url.split(","))
    async with await connect_nats(servers, files) as client:
        js = client.jetstream(prefix=JETSTREAM_API)
        await _print(unsettled(js, look.grant, team, waits=look.waits), look.count, show)


async def _print(
    stored: AsyncGenerator[Msg, None], count: int | None, show: Callable[[Msg], str]
) -> None:
    """Print each, so many at most; whatever ends it, what was taken is given back."""
    printed = 0
    async with aclosing(stored) as shown:
        async for message in shown:
            print(show(message), flush=True)
            printed += 1
            if printed == count:
                return


async def _trigger(
    system: SystemUrls, restaurant: str, url: str, files: Mapping[str, str]
) -> set[str]:
    """Drive the services, and print what came of it. Returns the types that did not come."""
    async with (
        await connect_nats(url, files) as client,
        api.connected(system.addresses, system.auth()) as services,
    ):
        js = client.jetstream(prefix=JETSTREAM_API)
        grants = [Grant.of(each) for each in _subjects_of(restaurant)]
        ends = [(await js.stream_info(grant.stream.name)).state.last_seq for grant in grants]
        await Trial(services, restaurant, print).run()
        deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
        while True:
            came = [
                message
                for grant, end in zip(grants, ends, strict=True)
                async for message in messages(js, grant, after=end, waits=False)
            ]
            missing = (
                set(EVENTS) - NOT_TRIGGERED - {(each.headers or {}).get("ce-type") for each in came}
            )
            if not missing or time.monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_INTERVAL_S)
    print("\nOn the streams:")
    for message in sorted(came, key=lambda each: each.metadata.timestamp):
        print(lines.readable(message))
    return missing


def _subjects_of(restaurant: str) -> list[str]:
    """What a team is granted of one restaurant."""
    roots = (
        subjects.root(subject)
        for stream, subject in SUBJECTS_BY_STREAM.items()
        if not isinstance(stream, Archive)
    )
    return [f"{root}.v1.{restaurant}.>" for root in roots]


def _nats(data: Path, given: str | None) -> tuple[str, dict[str, str]]:
    """Where NATS is, and the files beside it. Raises CannotStart if it is not known."""
    url, files = find_nats(data, given)
    if url is None:
        raise CannotStart(
            f"There is no running Comanda on {data}: start it with `comanda up`, give its folder "
            f"with --data, or set {NATS_URL}."
        )
    return url, files


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
