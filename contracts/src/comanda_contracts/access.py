"""Access: whose tokens are withdrawn, in one restaurant or in every one."""

import base64
import hashlib
from typing import ClassVar

from comanda_contracts import subjects
from comanda_contracts.envelope import Event, Instant, State


class Withdrawal(State):
    """The newest withdrawal of one subject's tokens in one restaurant."""

    restaurant: str
    """Slug of the venue, or `_every`: in every restaurant, those to come included."""
    subject_hash: str
    """Whose tokens: the SHA-256 of their `sub` (as UTF-8) in base64url, without `=`. Names and
    addresses, which a `sub` may hold, do not travel."""
    withdrawn_at: Instant
    """Tokens whose `iat` is up to then are withdrawn, later ones are not: UTC, to the millisecond.
    It only ever moves forward. `iat` is a whole second, so a token that was issued within the very
    second, but after it, is withdrawn, too."""


class AccessEvent(Event):
    """Something happened to what a subject may reach."""

    SOURCE: ClassVar[str] = "/comanda/ordering"

    withdrawal: Withdrawal
    """The whole withdrawal after the event."""

    @property
    def state(self) -> Withdrawal:
        return self.withdrawal

    @property
    def key(self) -> str:
        return self.withdrawal.subject_hash

    @property
    def subject(self) -> str:
        return subjects.access(self.withdrawal.restaurant, self.withdrawal.subject_hash, self.leaf)


class AccessWithdrawn(AccessEvent):
    """The tokens of a subject that were issued so far are not to be let in any more."""

    TYPE: ClassVar[str] = "comanda.access.withdrawn.v1"


def hash_of_subject(subject: str) -> str:
    """What a withdrawal calls the subject of a token, its `sub`; a lone surrogate does no harm."""
    digest = hashlib.sha256(subject.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
