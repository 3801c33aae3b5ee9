"""Verifies access tokens (RFC 9068), and remembers those that it has verified."""

import re
import time
from collections.abc import Callable
from typing import Any

from joserfc import jws

from service_kit.access.claims import CLOCK_SKEW_S, Expected, principal_of
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.jwks import ALGORITHMS
from service_kit.access.keys import FETCH_WAIT_MAX_S, KeySet
from service_kit.access.principal import Principal
from service_kit.access.signed import SignedTokens
from service_kit.access.verified_tokens import VerifiedTokens

TOKEN_BYTES_MAX = 8 * 1024
HEADER_BYTES_MAX = 2 * 1024
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
TYPES = frozenset({"at+jwt", "application/at+jwt"})


def bearer_token(authorization: str) -> str:
    """The token in an `Authorization` header (RFC 6750). Raises InvalidToken."""
    if len(authorization) > TOKEN_BYTES_MAX + len("Bearer "):
        raise InvalidToken(Reason.TOO_LONG)
    scheme, _, token = authorization.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken(Reason.MALFORMED)
    return token


class TokenVerifier:
    """Says who sends a token, if its signature, its times and its claims are good.

    What was verified is remembered until it expires, by a hash of the token, and verified anew when
    the keys change: a key that is taken back takes its tokens with it.
    """

    def __init__(
        self, keys: KeySet, expected: Expected, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` says the seconds since the epoch."""
        self.keys = keys
        self._expected = expected
        self._clock = clock
        registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        registry.max_header_length = HEADER_BYTES_MAX
        self._signed = SignedTokens(registry, COMPACT, bytes_max=TOKEN_BYTES_MAX)
        self._verified = VerifiedTokens(keys)

    def remembered(self, token: str, *, at_s: float | None = None) -> Principal | None:
        """Who sends a token that was verified and is still good; None if that is not known."""
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            return None
        principal = self._verified.sender(token)
        if principal is None:
            return None
        now_s = self._clock() if at_s is None else at_s
        if now_s >= principal.expires_at + CLOCK_SKEW_S:
            self._verified.forget(token)
            return None
        return principal if now_s >= principal.begins_at - CLOCK_SKEW_S else None

    async def verify(
        self,
        token: str,
        *,
        at_s: float | None = None,
        key_wait_s: float | None = FETCH_WAIT_MAX_S,
    ) -> Principal:
        """Who sends the token, after a look for its key if that is new, of so long at most.

        It is judged as of `at_s`, seconds since the epoch, or now. Raises InvalidToken,
        KeyBeingRead after that look, and KeysUnavailable while there are no keys at all.
        """
        if known := self.remembered(token, at_s=at_s):
            return known
        signed = self._signed.parts(token)
        key = await self.keys.find(*_algorithm_and_id(signed.headers()), wait_s=key_wait_s)
        if key is None:
            raise InvalidToken(Reason.UNKNOWN_KEY)
        self._signed.check(signed, key)
        now_s = self._clock() if at_s is None else at_s
        principal = principal_of(signed.payload, self._expected, now_s=now_s)
        self._verified.remember(token, principal)
        return principal


def _algorithm_and_id(header: Any) -> tuple[str, str | None]:
    """By which algorithm and key it says to be signed. Raises InvalidToken.

    What a header calls critical (RFC 7515, section 4.1.11) is nothing that is understood here.
    """
    if not isinstance(header, dict) or "crit" in header or "b64" in header:
        raise InvalidToken(Reason.MALFORMED)
    kind, algorithm, key_id = header.get("typ"), header.get("alg"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise InvalidToken(Reason.WRONG_TYPE)
    if algorithm not in ALGORITHMS:
        raise InvalidToken(Reason.WRONG_ALGORITHM)
    if key_id is not None and not isinstance(key_id, str):
        raise InvalidToken(Reason.MALFORMED)
    return algorithm, key_id
