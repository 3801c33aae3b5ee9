"""Tokens that were verified, remembered by their hashes for as long as they may be let in."""

import hashlib

from service_kit.access.keys import KeySet
from service_kit.access.principal import Principal

VERIFIED_TOKENS_MAX = 10_000
VERIFIED_BYTES_MAX = 8 * 1024 * 1024
"""Of the tokens themselves: what is remembered of one is some times as long at most."""


class VerifiedTokens:
    """Who sends which token, of the latest; all are forgotten when the keys change.

    So a key that is taken back takes its tokens with it.
    """

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys
        self._revision = keys.revision
        self._verified: dict[bytes, tuple[Principal, int]] = {}
        """Who sends a token, and its length, by its hash; the oldest first."""
        self._bytes = 0

    @property
    def count(self) -> int:
        """How many are remembered."""
        return len(self._verified)

    @property
    def size_bytes(self) -> int:
        """How long they are together."""
        return self._bytes

    def sender(self, token: str) -> Principal | None:
        """Who sends the token; None if that is not known. Its times are the caller's to judge."""
        self._forget_others_keys()
        known = self._verified.get(_digest(token))
        return known[0] if known else None

    def remember(self, token: str, principal: Principal) -> None:
        """Remember who sends the token; the oldest are forgotten for it where there are many."""
        self._forget_others_keys()
        self.forget(token)
        self._verified[_digest(token)] = principal, len(token)
        self._bytes += len(token)
        while len(self._verified) > VERIFIED_TOKENS_MAX or self._bytes > VERIFIED_BYTES_MAX:
            self._forget(next(iter(self._verified)))

    def forget(self, token: str) -> None:
        """Forget the token, if it is remembered."""
        self._forget(_digest(token))

    def _forget_others_keys(self) -> None:
        if self._revision != self._keys.revision:
            self._verified.clear()
            self._bytes = 0
            self._revision = self._keys.revision

    def _forget(self, digest: bytes) -> None:
        _, length = self._verified.pop(digest, (None, 0))
        self._bytes -= length


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
