"""Tokens as an issuer signs them, and as nobody should."""

import base64
import hmac
import json
import time
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from service_kit.access.claims import Expected
from service_kit.access.key_source import KeysUnreadable
from service_kit.access.keys import KeySet
from service_kit.access.tokens import TokenVerifier

ISSUER, AUDIENCE, CLAIM = "https://issuer.test", "comanda", "comanda"
EXPECTED = Expected(ISSUER, AUDIENCE, CLAIM)
RESTAURANT, OTHER = "la-piazza", "il-porto"
HOUR_S = 3600


class FakeClock:
    """A clock that stands until it is told."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class FakeSource:
    """A provider whose set is changed and which can be away; it counts who asks."""

    interval_s, pause_min_s = 300.0, 30.0

    def __init__(self, *keys: ECKey | RSAKey) -> None:
        self.content = a_set(*keys)
        self.is_away = False
        self.reads = 0

    async def read(self) -> bytes:
        self.reads += 1
        if self.is_away:
            raise KeysUnreadable("nobody answers")
        return self.content

    async def close(self) -> None:
        """Nothing is open."""


@cache
def ec_key(kid: str = "ec-1") -> ECKey:
    return ECKey.generate_key("P-256", parameters={"kid": kid, "alg": "ES256", "use": "sig"})


@cache
def rsa_key(kid: str = "rsa-1") -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": kid})


def a_set(*keys: ECKey | RSAKey) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def claims(now_s: float | None = None, **changed: Any) -> dict[str, Any]:
    """Good claims, but for those that are changed; None leaves one out."""
    now = time.time() if now_s is None else now_s
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + HOUR_S,
        "sub": "luigi",
        "jti": "1",
        CLAIM: {RESTAURANT: ["manager"]},
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(
    payload: dict[str, Any] | bytes,
    key: ECKey | RSAKey | None = None,
    **header: Any,
) -> str:
    """Whatever the header says, the signature is good."""
    key = key or ec_key()
    algorithm = {"EC": "ES256", "RSA": "RS256"}[key.key_type]
    whole = {"typ": "at+jwt", "alg": algorithm, "kid": key.kid} | header
    shown = {name: value for name, value in whole.items() if value is not None}
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    model = jws.JWSRegistry(algorithms=[algorithm]).get_alg(algorithm)
    signing_input = f"{encoded(json.dumps(shown).encode())}.{encoded(content)}"
    return f"{signing_input}.{encoded(model.sign(signing_input.encode(), key))}"


def unsigned(payload: dict[str, Any]) -> str:
    """A token whose header says that nothing signs it."""
    header = json.dumps({"typ": "at+jwt", "alg": "none"}).encode()
    return f"{encoded(header)}.{encoded(json.dumps(payload).encode())}."


def signed_with_the_public_key(payload: dict[str, Any], key: RSAKey) -> str:
    """HS256, with what everybody knows as the secret."""
    header = json.dumps({"typ": "at+jwt", "alg": "HS256", "kid": key.kid}).encode()
    signing_input = f"{encoded(header)}.{encoded(json.dumps(payload).encode())}"
    secret = key.as_bytes(private=False)
    return f"{signing_input}.{encoded(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def a_verifier(source: FakeSource | None = None, clock: Any = time.time) -> TokenVerifier:
    keys = KeySet(source or FakeSource(ec_key(), rsa_key()), clock)
    return TokenVerifier(keys, EXPECTED, clock)
