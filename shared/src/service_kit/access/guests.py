"""A guest's capability for one order: signed by the service that took it, verified where it is
read, and stored nowhere.

It is a JWT of its own type and audience, signed with a key of its own: an access token's verifier
refuses it, and this one refuses access tokens.
"""

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comanda_contracts.subjects import SLUG_PATTERN
from joserfc import jws
from joserfc.jwk import ECKey

from service_kit.access.claims import CLOCK_SKEW_S, TIME_MAX_S, claims_in
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.jwks import ES256
from service_kit.access.keys import KeySet
from service_kit.access.principal import Principal
from service_kit.access.signed import SignedTokens
from service_kit.access.verified_tokens import VerifiedTokens

GUEST = "guest"
"""The subject of all of them."""
GUEST_TYPE = "comanda-guest+jwt"
GUEST_AUDIENCE = "comanda-guest"
GUEST_TOKEN_HEADER = "Comanda-Guest-Token"  # noqa: S105 - a header's name
GUEST_TOKEN_LIFE_S = 24 * 3600
GUEST_TOKEN_BYTES_MAX = 1024
"""Longer than any that is signed here."""
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
SLUG = re.compile(SLUG_PATTERN)

Clock = Callable[[], float]
"""Says the seconds since the epoch."""


class GuestKeyUnusable(ValueError):
    """The file has no private key of P-256 with a name."""


# decision/0051: a guest holds a capability for his order
class GuestSigner:
    """Signs capabilities, with every order: the header is made once."""

    def __init__(self, key: ECKey, clock: Clock = time.time) -> None:
        """Raises GuestKeyUnusable."""
        if key.private_key is None or not key.kid or key.curve_name != "P-256":
            raise GuestKeyUnusable("it is no private key of the curve P-256 with a kid")
        self._key = key
        self._clock = clock
        self._algorithm = jws.JWSRegistry(algorithms=[ES256]).get_alg(ES256)
        self._header = _part({"typ": GUEST_TYPE, "alg": ES256, "kid": key.kid})

    @classmethod
    def from_file(cls, path: Path) -> "GuestSigner":
        """The signer with the private JWK in this file. Raises GuestKeyUnusable."""
        try:
            key = ECKey.import_key(json.loads(path.read_bytes()))
        except OSError as error:
            raise GuestKeyUnusable(f"{path}: {error.strerror}") from None
        except Exception as error:  # none of it may be shown: it is a secret
            raise GuestKeyUnusable(f"{path} has no JWK: {type(error).__name__}") from None
        return cls(key)

    def token(self, restaurant: str, order_id: str) -> str:
        """A capability for this order, from now on for `GUEST_TOKEN_LIFE_S`."""
        now = int(self._clock())
        claims = {"aud": GUEST_AUDIENCE, "iat": now, "exp": now + GUEST_TOKEN_LIFE_S}
        signed = self._header + b"." + _part(claims | {"sub": order_id, "restaurant": restaurant})
        return (signed + b"." + _base64(self._algorithm.sign(signed, self._key))).decode()


class GuestVerifier:
    """Says whose order a capability is for, if it is good; it remembers those that are."""

    def __init__(self, keys: KeySet, clock: Clock = time.time) -> None:
        self._keys = keys
        self._clock = clock
        registry = jws.JWSRegistry(algorithms=[ES256])
        self._signed = SignedTokens(registry, COMPACT, bytes_max=GUEST_TOKEN_BYTES_MAX)
        self._verified = VerifiedTokens(keys)

    def remembered(self, token: str) -> Principal | None:
        """The guest, if his token was verified and is still good; None if that is not known."""
        if len(token) > GUEST_TOKEN_BYTES_MAX or not token.isascii():
            return None
        guest = self._verified.sender(token)
        if guest and self._clock() >= guest.expires_at:
            self._verified.forget(token)
            return None
        return guest

    async def verify(self, token: str) -> Principal:
        """The guest who holds it, and whose `own_order` it names.

        Raises InvalidToken, and KeysUnavailable without any keys.
        """
        if known := self.remembered(token):
            return known
        signed = self._signed.parts(token)
        header = signed.headers()
        if header.get("typ") != GUEST_TYPE:
            raise InvalidToken(Reason.WRONG_TYPE)
        if header.get("alg") != ES256:
            raise InvalidToken(Reason.WRONG_ALGORITHM)
        key_id = header.get("kid")
        key = await self._keys.find(ES256, key_id) if isinstance(key_id, str) else None
        if key is None:
            raise InvalidToken(Reason.UNKNOWN_KEY)
        self._signed.check(signed, key)
        guest = _guest(signed.payload, now_s=self._clock())
        self._verified.remember(token, guest)
        return guest


def is_guest_token(token: str) -> bool:
    """Whether it says of itself that it is a guest's; nothing of it is verified."""
    head, _, _ = token.partition(".")
    if len(token) > GUEST_TOKEN_BYTES_MAX:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and header.get("typ") == GUEST_TYPE


def _guest(payload: bytes, *, now_s: float) -> Principal:
    claims = claims_in(payload)
    if claims.get("aud") != GUEST_AUDIENCE:
        raise InvalidToken(Reason.WRONG_AUDIENCE)
    issued_at = _time(claims.get("iat"))
    expires_at = min(_time(claims.get("exp")), issued_at + GUEST_TOKEN_LIFE_S)
    if now_s >= expires_at:
        raise InvalidToken(Reason.EXPIRED)
    if now_s < issued_at - CLOCK_SKEW_S:
        raise InvalidToken(Reason.NOT_YET_VALID)
    restaurant, order_id = claims.get("restaurant"), claims.get("sub")
    is_named = isinstance(restaurant, str) and SLUG.fullmatch(restaurant)
    if not is_named or not isinstance(order_id, str) or not order_id:
        raise InvalidToken(Reason.MALFORMED)
    return Principal(
        subject=GUEST,
        device=None,
        grants={},
        acting=frozenset(),
        issued_at=issued_at,
        begins_at=issued_at,
        expires_at=expires_at,
        own_order=(str(restaurant), order_id),
    )


def _time(claim: Any) -> int:
    if not isinstance(claim, int) or isinstance(claim, bool) or not 0 <= claim <= TIME_MAX_S:
        raise InvalidToken(Reason.MALFORMED)
    return claim


def _part(content: dict[str, object]) -> bytes:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
