"""Access tokens for tests: a key for each process of a test run, and what is signed with it.

Every service that a test starts believes it (`tests/conftest.py`), but for those of a Stack, which
has a key of its own: give its `issuer`.
"""

import functools
import tempfile
from pathlib import Path

from comanda_local.access import EVERYWHERE, Grants, Issuer, Role

EVERYTHING: Grants = {EVERYWHERE: [*Role, "act-as"]}
SUBJECT = "test"
LIFETIME_S = 12 * 3600.0


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="comanda-access-")


@functools.cache
def own_issuer() -> Issuer:
    """Signs the tokens of tests that have no Stack."""
    return Issuer.in_folder(Path(_folder().name))


@functools.cache
def _of_everything(issuer: Issuer) -> str:
    return issuer.token(EVERYTHING, subject=SUBJECT, lifetime_s=LIFETIME_S)


def token(
    grants: Grants = EVERYTHING, *, subject: str = SUBJECT, issuer: Issuer | None = None
) -> str:
    """A token; without grants one that may do everything everywhere."""
    issuer = issuer or own_issuer()
    if grants is EVERYTHING and subject == SUBJECT:
        return _of_everything(issuer)
    return issuer.token(grants, subject=subject, lifetime_s=LIFETIME_S)


def authorization(
    grants: Grants = EVERYTHING, *, subject: str = SUBJECT, issuer: Issuer | None = None
) -> str:
    """The value of the header that sends such a token."""
    return f"Bearer {token(grants, subject=subject, issuer=issuer)}"


def bearer(
    grants: Grants = EVERYTHING, *, subject: str = SUBJECT, issuer: Issuer | None = None
) -> dict[str, str]:
    """The header that sends such a token."""
    return {"Authorization": authorization(grants, subject=subject, issuer=issuer)}
