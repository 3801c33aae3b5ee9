"""What an error of PostgreSQL means for the commands that met it: the one place that decides."""

from dataclasses import dataclass

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


@dataclass(frozen=True, slots=True)
class Failure:
    """The consequences of an error.

    `splits`: it may be one command's, so the others of its group are to be tried without it.
    `is_retried`: the same command may succeed, decided again on what is there now.
    `is_passing`: nothing is wrong with the command; the store can't carry it out now.
    """

    splits: bool
    is_retried: bool
    is_passing: bool


FAULT = Failure(splits=True, is_retried=False, is_passing=False)
"""The command, or the program, is at fault."""

LOST_RACE = Failure(splits=True, is_retried=True, is_passing=True)
"""Another transaction came first: what was decided on is no longer so."""

BLOCKED = Failure(splits=True, is_retried=True, is_passing=True)
"""Something that the command needs is held by another session."""

UNAVAILABLE = Failure(splits=False, is_retried=False, is_passing=True)
"""PostgreSQL is away, or takes no writes: no command can be carried out."""

_BY_SQLSTATE = {
    "08": UNAVAILABLE,  # the connection
    "23505": LOST_RACE,  # somebody else has made the same restaurant, item or answer
    "25006": UNAVAILABLE,  # read-only: a demoted primary
    "25P03": UNAVAILABLE,  # the session was ended, for it was idle in a transaction
    "40": LOST_RACE,  # a deadlock, or a transaction that can't be serialised
    "53": UNAVAILABLE,  # no connection, memory or disk is free
    "55P03": BLOCKED,  # the wait for a lock was given up
    "57": UNAVAILABLE,  # stopping, starting, or ended by an operator
    "57014": BLOCKED,  # the statement was cancelled
    "58": UNAVAILABLE,  # the operating system
}
"""By the longest beginning of the SQLSTATE: its class has two characters."""

CONSEQUENTIAL = "25P02"
"""The SQLSTATE of every statement after one that failed in the same transaction."""


def failure_of(error: BaseException) -> Failure:
    """The consequences of what a transaction raised."""
    if isinstance(_cause(error), asyncpg.InvalidCachedStatementError):
        return LOST_RACE  # a migration came between; the driver prepares its statements anew
    sqlstate = sqlstate_of(error) or ""
    for length in (5, 2):
        if failure := _BY_SQLSTATE.get(sqlstate[:length]):
            return failure
    is_away = isinstance(_cause(error), OSError | TimeoutError | PoolTimeoutError)
    is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
    return UNAVAILABLE if is_away or is_cut else FAULT


def sqlstate_of(error: BaseException) -> str | None:
    """The error's SQLSTATE; None if PostgreSQL has not said it."""
    return getattr(_cause(error), "sqlstate", None)


def reason_of(error: BaseException) -> str:
    """The error in one line, without the statement that met it."""
    cause = _cause(error)
    return " ".join(f"{type(cause).__name__}: {cause}".split())


def _cause(error: BaseException) -> BaseException:
    """The driver's own error below what SQLAlchemy raises."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error
