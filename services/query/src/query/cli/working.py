"""How an operator's command works: connected to the running system, failing in plain words."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

import nats.errors
import structlog
import typer
from rich.console import Console
from service_kit.runtime.settings import load

from query.maintenance.session import Site, on_site
from query.maintenance.switchover import NotPossible
from query.settings import Settings
from query.views.ports import StoreUnavailable

out = Console(soft_wrap=True, highlight=False)
"""What was asked for."""
notes = Console(stderr=True, highlight=False)
"""What happens meanwhile."""


def work(on: Callable[[Site], Awaitable[bool]]) -> None:
    """Do it, and end with 0 if it returns True, else with 1; also if it can't be done."""
    settings = load(Settings)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

    async def run() -> bool:
        async with on_site(settings.nats_servers, settings.mongodb_url.get_secret_value()) as site:
            return await on(site)

    try:
        went_well = asyncio.run(run())
    except NotPossible as error:
        _give_up(str(error))
    except StoreUnavailable as error:
        _give_up(f"MongoDB does not answer: {error}")
    except (nats.errors.Error, TimeoutError, OSError) as error:
        _give_up(f"NATS does not answer: {type(error).__name__} {error}")
    except KeyboardInterrupt:
        _give_up("Interrupted.")
    else:
        raise typer.Exit(0 if went_well else 1)


def _give_up(reason: str) -> None:
    notes.print(reason, style="red", markup=False)
    raise typer.Exit(1)
