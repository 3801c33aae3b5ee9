"""Withdraw the tokens that somebody was issued so far."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain import access
from ordering.domain.access import EVERY_RESTAURANT, Withdrawal
from ordering.domain.events import Sender
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.refusals import UnknownRestaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawAccess:
    """They let the subject in no more. `expected_version` of None stands for any, or none yet."""

    restaurant: str
    subject_hash: str
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def withdraw_access(
    command: WithdrawAccess, *, transaction: Transaction, at: datetime
) -> Withdrawal:
    """Withdraw them. Repeated it moves the time forward, which is what whoever repeats it wants.

    Nobody is asked whether there is such a subject: ordering knows none. Raises UnknownRestaurant,
    VersionMismatch, TooManyWithdrawals.
    """
    pending = transaction.withdrawal_to_change(command.restaurant, command.subject_hash)
    pending_count = transaction.withdrawn_subjects(command.restaurant)
    if command.restaurant != EVERY_RESTAURANT:
        pending_restaurant = transaction.restaurant(command.restaurant)
        if await pending_restaurant is None:
            raise UnknownRestaurant(command.restaurant)
    withdrawn_subjects = await pending_count or 0

    def decide(current: Withdrawal | None) -> Decision[Withdrawal]:
        expect_version(current, command.expected_version)
        event = access.withdraw_access(
            current,
            restaurant=command.restaurant,
            subject_hash=command.subject_hash,
            at=at,
            actor=command.actor,
            by=command.by,
            withdrawn_subjects=withdrawn_subjects,
        )
        return Decision(event.withdrawal, (event,))

    return await pending.change(decide)
