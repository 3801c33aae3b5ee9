"""Who is let in: the withdrawal of the tokens that somebody was issued so far."""

from dataclasses import dataclass
from datetime import datetime

from ordering.domain.events import DomainEvent, Sender

EVERY_RESTAURANT = "_every"
"""In place of a slug: all restaurants, those to come included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Tokens that were issued up to `withdrawn_at` let their subject in no more.

    `restaurant` is a slug, or `EVERY_RESTAURANT`. The subject is known by its hash alone.
    """

    restaurant: str
    subject_hash: str
    withdrawn_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessWithdrawn(DomainEvent):
    """The tokens of a subject were withdrawn."""

    withdrawal: Withdrawal


def withdraw_access(
    current: Withdrawal | None,
    *,
    restaurant: str,
    subject_hash: str,
    at: datetime,
    actor: str | None,
    by: Sender | None = None,
) -> AccessWithdrawn:
    """Withdraw what was issued so far. Once more, it is what was issued since, too.

    The time never goes back, whichever replica's clock says it.
    """
    withdrawal = Withdrawal(
        restaurant=restaurant,
        subject_hash=subject_hash,
        withdrawn_at=max(at, current.withdrawn_at) if current else at,
        version=current.version + 1 if current else 1,
    )
    return AccessWithdrawn(withdrawal=withdrawal, at=at, actor=actor, by=by)
