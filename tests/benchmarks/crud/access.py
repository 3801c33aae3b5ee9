"""Who may use the CRUD service: whoever has an access token with a role in the restaurant.

A token that was verified is known until it ends, as it is in Comanda's services.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import Header, HTTPException
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

KNOWN_MAX = 10_000
EVERYWHERE = "*"

_keys = KeySet.import_key_set(json.loads(Path(os.environ["COMANDA_JWKS"]).read_text()))
_claims = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": os.environ["COMANDA_ISSUER"]},
    aud={"essential": True, "value": os.environ["COMANDA_AUDIENCE"]},
    exp={"essential": True},
)
_known: dict[str, dict[str, Any]] = {}


async def may(restaurant: str, authorization: Annotated[str, Header()] = "") -> None:
    """A dependency of every route. Raises HTTPException: 401, or 403 in another restaurant."""
    claims = _known.get(authorization)
    if claims is None or claims["exp"] <= time.time():
        claims = _verified(authorization)
    roles = claims["comanda"]
    if not roles.get(restaurant) and not roles.get(EVERYWHERE):
        raise HTTPException(403)


def _verified(authorization: str) -> dict[str, Any]:
    try:
        token = jwt.decode(authorization.removeprefix("Bearer "), _keys, algorithms=["ES256"])
        _claims.validate(token.claims)
    except (ValueError, JoseError) as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error
    if len(_known) >= KNOWN_MAX:
        _known.pop(next(iter(_known)))
    _known[authorization] = token.claims
    return token.claims
