"""Runs an operator's command: connects it to the running system, and fails in plain words."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
import typer
from rich.console import Console
from service_kit.runtime.settings import load

from query.maintenance.evidence import ConsentRequired
from query.maintenance.failures import FAILURES, in_plain_words
from query.maintenance.session import OperatorSession, open_session
from query.settings import OperatorSettings

out = Console(soft_wrap=True, highlight=False)
"""For the answer."""
notes = Console(stderr=True, highlight=False)
"""For progress and failures."""

YesReally = Annotated[
    int,
    typer.Option(
        "--yes-really",
        metavar="COUNT",
        min=0,
        help="Destroy so many documents at most although the streams do not explain it.",
    ),
]


def run(command: Callable[[OperatorSession], Awaitable[bool]]) -> None:
    """Run the command, and end with 0 if it returns True, else with 1; also if it can't be done."""
    settings = load(OperatorSettings)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

    async def run_in_session() -> bool:
        store = settings.mongodb_url.get_secret_value(), settings.mongodb_tls
        async with open_session(settings.nats_servers, *store) as session:
            return await command(session)

    try:
        went_well = asyncio.run(run_in_session())
    except ConsentRequired as error:
        _give_up(f"{error} If that is meant: --yes-really {error.count}")
    except FAILURES as error:
        _give_up(in_plain_words(error))
    except KeyboardInterrupt:
        _give_up("Interrupted.")
    else:
        raise typer.Exit(0 if went_well else 1)


def _give_up(reason: str) -> None:
    notes.print(reason, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)
