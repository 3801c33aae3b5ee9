"""`dead-letters list | show | replay | discard`."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

import typer

from query.cli.command import notes, out, run
from query.maintenance.dead_letters import (
    NoSuchDeadLetter,
    StoredDeadLetter,
    dead_letter,
    dead_letters,
)
from query.maintenance.dead_letters import discard as discard_one
from query.maintenance.dead_letters import replay as replay_one
from query.maintenance.session import OperatorSession
from query.projection.projector import SERVICE

dead_letters_app = typer.Typer(
    no_args_is_help=True,
    help="Messages that could not be read or stored and were set aside; replay them at any time.",
)

Numbers = Annotated[list[int] | None, typer.Argument(help="As in the list.")]
All = Annotated[bool, typer.Option("--all", help="All of query's.")]
Service = Annotated[str, typer.Option(help="Who set it aside; * for all.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object for each.")]


@dead_letters_app.command(name="list")
def list_letters(*, service: Service = SERVICE, as_json: AsJson = False) -> None:
    """List them, oldest first."""

    async def command(session: OperatorSession) -> bool:
        count = 0
        async for each in dead_letters(session, service):
            count += 1
            if as_json:
                print(json.dumps(_as_json(each)), flush=True)
            else:
                of = f"{each.service}: " if service != SERVICE else ""
                out.print(f"{each.number}  {of}{each.origin}  {each.subject}", markup=False)
                out.print(f"    {each.reason}", markup=False)
        notes.print(f"{count:,} dead letters.")
        return True

    run(command)


@dead_letters_app.command()
def show(number: int, *, service: Service = SERVICE) -> None:
    """Show one: its headers, an empty line, its body."""

    async def command(session: OperatorSession) -> bool:
        found = await _one(session, number, service)
        if found is None:
            return False
        for name, text in found.headers.items():
            print(f"{name}: {text}")
        print(f"\n{found.body.decode(errors='replace')}")
        return True

    run(command)


@dead_letters_app.command()
def replay(numbers: Numbers = None, *, every: All = False) -> None:
    """Read and project them again; what still fails stays. Ends with 1 if something does."""

    async def command(session: OperatorSession) -> bool:
        went_well = True
        async for number, each in _chosen(session, numbers or [], every=every):
            reason = await replay_one(session, each) if each else "it is not there"
            out.print(f"{number}: {reason or 'projected'}", markup=False)
            went_well = went_well and not reason
        return went_well

    run(command)


@dead_letters_app.command()
def discard(numbers: Numbers = None, *, every: All = False) -> None:
    """Throw them away for good."""

    async def command(session: OperatorSession) -> bool:
        went_well = True
        async for number, each in _chosen(session, numbers or [], every=every):
            if each:
                await discard_one(session, each)
            out.print(f"{number}: {'discarded' if each else 'it is not there'}", markup=False)
            went_well = went_well and each is not None
        return went_well

    run(command)


async def _chosen(
    session: OperatorSession, numbers: Sequence[int], *, every: bool
) -> AsyncGenerator[tuple[int, StoredDeadLetter | None], None]:
    """Those of query's that are named, or all of them."""
    if not numbers and not every:
        notes.print("Say which, by their numbers, or --all.", style="red")
        raise typer.Exit(2)
    if every:
        async for each in dead_letters(session):
            yield each.number, each
        return
    for number in numbers:
        yield number, await _one(session, number, SERVICE)


async def _one(session: OperatorSession, number: int, service: str) -> StoredDeadLetter | None:
    try:
        return await dead_letter(session, number, service)
    except NoSuchDeadLetter as error:
        notes.print(str(error), style="red", markup=False)
        return None


def _as_json(each: StoredDeadLetter) -> dict[str, Any]:
    return {
        "number": each.number,
        "service": each.service,
        "since": each.since.isoformat() if each.since else None,
        "stream": each.headers.get("Comanda-Stream"),
        "sequence": int(each.headers.get("Comanda-Sequence", "0")),
        "subject": each.subject,
        "reason": each.reason,
        "body": each.body.decode(errors="replace"),
    }
