"""The common base of everything that ordering records."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """Something that happened at a time (UTC); `actor` did it, None if nobody was named."""

    at: datetime
    actor: str | None
