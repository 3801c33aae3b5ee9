"""From a token's claims to who sends it: RFC 9068, section 2.2, and one claim for Comanda."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from comanda_contracts.subjects import SLUG_PATTERN

from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.principal import Principal
from service_kit.access.roles import ACT_AS, EVERY_RESTAURANT, Role
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S

CLOCK_SKEW_S = 60
"""By so much the clocks of the issuer and of this machine may differ."""
TIME_MAX_S = 2**40
"""Some 35,000 years: a later time is no time."""
NAME_LENGTH_MAX = 255
"""Of a subject (OpenID Connect Core, section 2), of a token's id and of a device."""

SLUG = re.compile(SLUG_PATTERN)
ROLES = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a good token says, and the claim that holds its grants.

    `claim` is a name, or a JSON pointer (RFC 6901) if it begins with a slash. `life_max_s` is how
    long after its issue it is good at most: for that long it is known whether it was withdrawn.
    """

    issuer: str
    audience: str
    claim: str
    life_max_s: float = TOKEN_LIFE_MAX_S


def principal_of(payload: bytes, expected: Expected, *, now_s: float) -> Principal:
    """Who sends a token with this payload. Raises InvalidToken."""
    claims = claims_in(payload)
    if claims.get("iss") != expected.issuer:
        raise InvalidToken(Reason.WRONG_ISSUER)
    if expected.audience not in _audiences(claims.get("aud")):
        raise InvalidToken(Reason.WRONG_AUDIENCE)
    issued_at = _time(claims.get("iat"))
    expires_at = min(_time(claims.get("exp")), issued_at + expected.life_max_s)
    begins_at = max(issued_at, _time(claims["nbf"]) if "nbf" in claims else issued_at)
    if now_s >= expires_at + CLOCK_SKEW_S:
        raise InvalidToken(Reason.EXPIRED)
    if now_s < begins_at - CLOCK_SKEW_S:
        raise InvalidToken(Reason.NOT_YET_VALID)
    _name(claims.get("jti"))
    grants, acting = _grants(_found(claims, expected.claim))
    return Principal(
        subject=_name(claims.get("sub")),
        device=_name(claims["device"]) if claims.get("device") is not None else None,
        grants=grants,
        acting=acting,
        issued_at=issued_at,
        begins_at=begins_at,
        expires_at=expires_at,
    )


def claims_in(payload: bytes) -> dict[str, Any]:
    """The claims of a token, none of which is judged. Raises InvalidToken."""
    try:
        claims = json.loads(payload, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidToken(Reason.MALFORMED) from None
    if not isinstance(claims, dict):
        raise InvalidToken(Reason.MALFORMED)
    return claims


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


def _audiences(claim: Any) -> list[Any]:
    return claim if isinstance(claim, list) else [claim]


def _time(claim: Any) -> float:
    is_number = isinstance(claim, int | float) and not isinstance(claim, bool)
    if not is_number or not 0 <= claim <= TIME_MAX_S:
        raise InvalidToken(Reason.MALFORMED)
    return float(claim)


def _name(claim: Any) -> str:
    """A name that can be shown, logged and stored: without control characters or lone halves."""
    if not isinstance(claim, str) or not 0 < len(claim) <= NAME_LENGTH_MAX:
        raise InvalidToken(Reason.MALFORMED)
    if not claim.isprintable() or claim.isspace():
        raise InvalidToken(Reason.MALFORMED)
    return claim


def _found(claims: Mapping[str, Any], claim: str) -> Any:
    """What stands at the claim's name or pointer; None if there is nothing."""
    if not claim.startswith("/"):
        return claims.get(claim)
    found: Any = claims
    for part in claim[1:].split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(part.replace("~1", "/").replace("~0", "~"))
    return found


@cache
def _shared(roles: frozenset[Role]) -> frozenset[Role]:
    """One set for all who hold the same roles: there are few, and many tokens are remembered."""
    return roles


def _grants(claim: Any) -> tuple[dict[str, frozenset[Role]], frozenset[str]]:
    """Roles by restaurant, and where another actor may be named; words without meaning grant none.

    Without the claim somebody is known, and may nothing. Raises InvalidToken if it has another
    shape than restaurants with lists of words.
    """
    if claim is None:
        return {}, frozenset()
    if not isinstance(claim, dict):
        raise InvalidToken(Reason.MALFORMED)
    grants: dict[str, frozenset[Role]] = {}
    acting: set[str] = set()
    for restaurant, words in claim.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InvalidToken(Reason.MALFORMED)
        if restaurant != EVERY_RESTAURANT and not SLUG.fullmatch(restaurant):
            continue
        grants[restaurant] = _shared(frozenset(ROLES[word] for word in words if word in ROLES))
        if ACT_AS in words:
            acting.add(restaurant)
    return grants, frozenset(acting)
