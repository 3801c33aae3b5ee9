"""From a JWK Set to the keys in it that may verify an access token."""

import json
from typing import Any, TypeAlias

from joserfc.jwk import ECKey, RSAKey
from structlog import get_logger

from service_kit.access.key_source import KeysUnreadable

ES256, RS256 = "ES256", "RS256"
ALGORITHMS = (ES256, RS256)
KEYS_MAX = 100
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
KEY_ID_LENGTH_MAX = 255
PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Key: TypeAlias = ECKey | RSAKey
Keys: TypeAlias = dict[tuple[str, str | None], Key]
"""By algorithm and `kid`."""

log = get_logger()


def keys_in(document: bytes) -> Keys:
    """The keys of a set that verify signatures by our algorithms; any other is left out.

    Left out, too, is one that holds more than a public key: whoever could read the set could sign
    with it. Raises KeysUnreadable if none is left.
    """
    try:
        whole = json.loads(document)
    except (ValueError, RecursionError):
        raise KeysUnreadable("it is not JSON") from None
    listed = whole.get("keys") if isinstance(whole, dict) else None
    if not isinstance(listed, list):
        raise KeysUnreadable("it is not a set of keys")
    keys: Keys = {}
    for each in listed[:KEYS_MAX]:
        if (algorithm := _algorithm_of(each)) and (key := _imported(each)):
            keys.setdefault((algorithm, each.get("kid")), key)
    if not keys:
        raise KeysUnreadable("it has no public key for ES256 or RS256")
    return keys


def _algorithm_of(jwk: Any) -> str | None:
    """By which of our algorithms the key verifies; None if by none."""
    if not isinstance(jwk, dict):
        return None
    match jwk.get("kty"), jwk.get("crv"):
        case "EC", "P-256":
            algorithm = ES256
        case "RSA", None:
            algorithm = RS256
        case _:
            return None
    operations, key_id = jwk.get("key_ops", ["verify"]), jwk.get("kid")
    fits = (
        jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and (key_id is None or (isinstance(key_id, str) and len(key_id) <= KEY_ID_LENGTH_MAX))
    )
    if fits and not PRIVATE_MEMBERS.isdisjoint(jwk):
        log.error("a private key stands among the public ones, and is not used", kid=key_id)
        return None
    return algorithm if fits else None


def _imported(jwk: dict[str, Any]) -> Key | None:
    """The key; None if its numbers are none of a good key."""
    members: dict[str, Any] = {name: jwk[name] for name in PUBLIC_MEMBERS if name in jwk}
    try:
        if jwk["kty"] == "EC":
            return ECKey.import_key(members)
        key = RSAKey.import_key(members)
        bits = key.raw_value.key_size
    except Exception as error:  # whatever the numbers of one key are, the others are good
        log.warning("a key can't be used", kid=jwk.get("kid"), error=type(error).__name__)
        return None
    return key if RSA_BITS_MIN <= bits <= RSA_BITS_MAX else None
