"""Runs an operator's command: connects it to the running system, and fails in plain words."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import nats.errors
import structlog
import typer
from pymongo.errors import PyMongoError
from rich.console import Console
from service_kit.runtime.settings import load

from query.maintenance.session import OperatorSession, open_session
from query.maintenance.switchover import NotPossible
from query.settings import OperatorSettings
from query.views.ports import StoreUnavailable

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
    except NotPossible as error:
        _give_up(str(error))
    except StoreUnavailable as error:
        _give_up(f"MongoDB does not answer: {error}")
    except PyMongoError as error:
        _give_up(f"MongoDB refuses: {' '.join(str(error).split())[:300]}")
    except (nats.errors.Error, TimeoutError, OSError) as error:
        _give_up(f"NATS does not answer: {type(error).__name__} {error}")
    except KeyboardInterrupt:
        _give_up("Interrupted.")
    else:
        raise typer.Exit(0 if went_well else 1)


def _give_up(reason: str) -> None:
    notes.print(reason, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)
