"""A signed token (RFC 7515) in its compact form: its parts, and whether its signature is good."""

import re

from joserfc import jws
from joserfc.errors import JoseError

from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.jwks import Key


class SignedTokens:
    """Tokens of one kind: of this form, up to this length, and signed by these algorithms."""

    def __init__(self, registry: jws.JWSRegistry, form: re.Pattern[str], *, bytes_max: int) -> None:
        self._registry = registry
        self._form = form
        self._bytes_max = bytes_max

    def parts(self, token: str) -> jws.CompactSignature:
        """The token's parts, of which nothing is verified yet. Raises InvalidToken."""
        if len(token) > self._bytes_max:
            raise InvalidToken(Reason.TOO_LONG)
        if not self._form.fullmatch(token):
            raise InvalidToken(Reason.MALFORMED)
        try:
            return jws.extract_compact(token.encode(), registry=self._registry)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise InvalidToken(Reason.MALFORMED) from None

    def check(self, signed: jws.CompactSignature, key: Key) -> None:
        """Raises InvalidToken unless the key has signed it."""
        try:
            is_good = jws.validate_compact(signed, key, registry=self._registry)
        except (JoseError, ValueError, TypeError):
            is_good = False
        if not is_good:
            raise InvalidToken(Reason.BAD_SIGNATURE)
