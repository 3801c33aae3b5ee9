"""Bringing the schema in PostgreSQL up to date."""

import ssl
import time

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from ordering.outbound.database.errors import failure_of, reason_of

log = structlog.get_logger()

WITHIN_S = 120.0
"""Seconds that PostgreSQL is waited for."""
RETRY_PAUSE_MIN_S, RETRY_PAUSE_MAX_S = 0.5, 10.0
"""Seconds between two attempts, each pause twice the one before."""

FAILURES = (
    *(DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError),
    CommandError,  # a later release's schema, which this one does not know
)
"""What an operator can do something about, and so needs no traceback."""


class CannotMigrate(Exception):
    """The schema can't be brought up to date; the text says why, in a line."""


def migrate(url: str, tls: ssl.SSLContext | None = None) -> None:
    """Bring the schema to the newest revision. Safe to repeat, and to run from many at once.

    PostgreSQL is waited for while it is away, starting, or takes no writes; what it is waited for
    is logged once. Raises CannotMigrate.
    """
    give_up_at, pause_s, reason = time.monotonic() + WITHIN_S, RETRY_PAUSE_MIN_S, ""
    while failure := _failure_of_upgrade(url, tls):
        if not failure_of(failure).is_passing:
            raise CannotMigrate(f"PostgreSQL: {reason_of(failure)}") from failure
        if time.monotonic() + pause_s > give_up_at:
            waited = f"not there within {WITHIN_S:.0f} s"
            raise CannotMigrate(f"PostgreSQL: {waited} ({reason_of(failure)})") from failure
        if reason != (reason := reason_of(failure)):
            log.warning("waiting for PostgreSQL", reason=reason)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_PAUSE_MAX_S)
    log.info("the schema is up to date")


def _failure_of_upgrade(url: str, tls: ssl.SSLContext | None) -> Exception | None:
    """What keeps the schema from the newest revision; None once it has it."""
    config = alembic_config()
    config.attributes |= {"url": url, "tls": tls}
    try:
        command.upgrade(config, "head")
    except FAILURES as error:
        return error
    return None


def alembic_config() -> Config:
    """Alembic's configuration: where the migrations are."""
    config = Config()
    config.set_main_option("script_location", "ordering:migrations")
    return config
