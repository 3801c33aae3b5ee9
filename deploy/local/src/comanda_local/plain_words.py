"""A command ends as its user would have it: in order, and with what is wrong in a line."""

import contextlib
from collections.abc import Iterator

import asyncpg
import httpx
import nats.errors
import typer

from comanda_local.api import RefusedRequest
from comanda_local.interrupts import interrupt_in_order
from comanda_local.nats_reload import NotReloaded
from comanda_local.pos_export.findings import NotAnExport
from comanda_local.processes import CannotStart
from comanda_local.teams import NotGranted

FAILURES = (
    *(CannotStart, NotAnExport, NotGranted, NotReloaded, RefusedRequest, OSError),
    *(asyncpg.PostgresError, nats.errors.Error),
)
"""What a user can do something about, and so needs no traceback."""


@contextlib.contextmanager
def in_plain_words() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end us as Ctrl-C does; say what is wrong in a line."""
    interrupt_in_order()
    try:
        yield
    except FAILURES as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    except httpx.TransportError as error:
        address = error.request.url.copy_with(path="/")
        typer.secho(f"{address} can't be reached ({error}). Is it up?", fg="red", err=True)
        raise typer.Exit(1) from error
