"""Decides on a request or command: who sends it, and whether he may."""

from collections.abc import Callable, Set

from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.principal import Principal
from service_kit.access.refusals import Refusals
from service_kit.access.roles import Role
from service_kit.access.tokens import TokenVerifier, bearer_token

FORBIDDEN = "forbidden"

IsWithdrawn = Callable[[str, Principal], bool]
"""Whether somebody's token was withdrawn in the restaurant after it had been issued."""


class Forbidden(Exception):
    """Somebody is known, and has none of the needed roles in the restaurant."""


def nothing_withdrawn(_restaurant: str, _principal: Principal) -> bool:
    """No withdrawal is known."""
    return False


class Admission:
    """Lets somebody in whose token is good and who holds a needed role in the restaurant."""

    def __init__(
        self, verifier: TokenVerifier, is_withdrawn: IsWithdrawn = nothing_withdrawn
    ) -> None:
        self._verifier = verifier
        self._is_withdrawn = is_withdrawn
        self._refusals = Refusals()

    async def admit(
        self,
        authorization: str | None,
        restaurant: str,
        roles: Set[Role],
        *,
        asked: str,
        at_s: float | None = None,
    ) -> Principal:
        """Who sends this `Authorization` header; its token is judged as of `at_s`, or now.

        `asked` says for the log what is asked for. Raises InvalidToken, Forbidden and
        KeysUnavailable.
        """
        try:
            if authorization is None:
                raise InvalidToken(Reason.MISSING)
            token = bearer_token(authorization)
            principal = self._verifier.remembered(token, at_s=at_s)
            if principal is None:
                principal = await self._verifier.verify(token, at_s=at_s)
            if self._is_withdrawn(restaurant, principal):
                raise InvalidToken(Reason.WITHDRAWN)
        except InvalidToken as invalid:
            self._refusals.note(invalid.reason.value, asked)
            raise
        if not principal.may(restaurant, roles):
            self._refusals.note(FORBIDDEN, asked, principal.subject)
            raise Forbidden
        return principal
