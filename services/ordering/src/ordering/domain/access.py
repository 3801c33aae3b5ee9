"""Who is let in: the withdrawal of the tokens that somebody was issued so far."""

from dataclasses import dataclass
from datetime import datetime

from ordering.domain.events import DomainEvent, Sender
from ordering.domain.refusals import TooManyWithdrawals

EVERY_RESTAURANT = "_every"
"""In place of a slug: all restaurants, those to come included."""

WITHDRAWN_SUBJECTS_MAX = 1000
"""Of one restaurant, in the time for which a withdrawal is kept: all services hear of each."""


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
    withdrawn_subjects: int = 0,
) -> AccessWithdrawn:
    """Withdraw what was issued so far. Once more, it is what was issued since, too.

    The time never goes back, whichever replica's clock says it. `withdrawn_subjects` is how many
    the restaurant has. Raises TooManyWithdrawals.
    """
    is_bounded = restaurant != EVERY_RESTAURANT  # by operators alone, who are not kept out
    if current is None and is_bounded and withdrawn_subjects >= WITHDRAWN_SUBJECTS_MAX:
        raise TooManyWithdrawals(WITHDRAWN_SUBJECTS_MAX)
    withdrawal = Withdrawal(
        restaurant=restaurant,
        subject_hash=subject_hash,
        withdrawn_at=max(at, current.withdrawn_at) if current else at,
        version=current.version + 1 if current else 1,
    )
    return AccessWithdrawn(withdrawal=withdrawal, at=at, actor=actor, by=by)
