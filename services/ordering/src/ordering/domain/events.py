"""The common base of everything that ordering records, and who it is from."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a request or command: the token's subject and device, and the role that let it in.

    It is the actor, too, unless it named another for whom it acts.
    """

    subject: str
    role: str
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """Something that happened at a time (UTC); `actor` did it, None if nobody was named.

    It was sent `by` somebody; None where no token said by whom.
    """

    at: datetime
    actor: str | None
    by: Sender | None = None
