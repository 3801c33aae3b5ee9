"""Decides on a request or command: who sends it, and whether he may."""

from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from service_kit.access.claims import Expected
from service_kit.access.feed_places import FeedPlaces, TooManyFeeds
from service_kit.access.guests import GuestVerifier, is_guest_token
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.key_source import source_of
from service_kit.access.keys import FETCH_WAIT_MAX_S, KeySet
from service_kit.access.lease import Lease
from service_kit.access.principal import Forbidden, Principal, Reach
from service_kit.access.rates import Rates, TooManyRequests
from service_kit.access.refusals import Refusals
from service_kit.access.roles import EVERY_RESTAURANT, Role
from service_kit.access.tokens import TokenVerifier, bearer_token
from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.settings import AccessSettings

FORBIDDEN, RATE, FEEDS = "forbidden", "rate", "feeds"
"""Reasons of refusals in the metric, beside those of a bad token."""

IsWithdrawn = Callable[[str, Principal], bool]
"""Whether somebody's token was withdrawn in the restaurant after it had been issued."""


def nothing_withdrawn(_restaurant: str, _principal: Principal) -> bool:
    """No withdrawal is known."""
    return False


TakeLease = Callable[[str, Principal], AbstractContextManager[Lease]]
"""Takes a lease for somebody who was let in in a restaurant."""


def unending(_restaurant: str, _principal: Principal) -> AbstractContextManager[Lease]:
    """A lease for as long as somebody likes."""
    return nullcontext(Lease())


class Admission:
    """Lets somebody in whose token is good and who holds a needed role in the restaurant."""

    def __init__(
        self,
        verifier: TokenVerifier,
        is_withdrawn: IsWithdrawn = nothing_withdrawn,
        take_lease: TakeLease = unending,
        guests: GuestVerifier | None = None,
        rates: Rates | None = None,
        feeds: FeedPlaces | None = None,
        command_rates: Rates | None = None,
    ) -> None:
        """Without rates and places for feeds those are the settings' defaults."""
        self.keys = verifier.keys.component()
        """Keeps the issuer's keys; runs beside what they are used for."""
        self._verifier = verifier
        self._is_withdrawn = is_withdrawn
        self._take_lease = take_lease
        self._guests = guests
        self._rates = rates or Rates()
        self._command_rates = command_rates or Rates()
        self._feeds = feeds or FeedPlaces()
        self._refusals = Refusals()

    async def admit(
        self,
        authorization: str | None,
        restaurant: str,
        roles: Set[Role],
        *,
        asked: str,
        at_s: float | None = None,
        key_wait_s: float | None = FETCH_WAIT_MAX_S,
        admits_guests: bool = False,
    ) -> Principal:
        """Who sends this `Authorization` header; its token is judged as of `at_s`, or now.

        `asked` says for the log what is asked for. A key that is unknown is waited for as long as
        `key_wait_s`, and not even looked for with None. With `admits_guests` a guest is let in,
        too. Raises InvalidToken, Forbidden, KeyBeingRead and KeysUnavailable.
        """
        try:
            if authorization is None:
                raise InvalidToken(Reason.MISSING)
            token = bearer_token(authorization)
            principal = self._verifier.remembered(token, at_s=at_s)
            if principal is None:
                if admits_guests and self._guests and is_guest_token(token):
                    return await self._guests.verify(token)
                principal = await self._verifier.verify(token, at_s=at_s, key_wait_s=key_wait_s)
            if self._is_withdrawn(restaurant, principal):
                raise InvalidToken(Reason.WITHDRAWN)
        except InvalidToken as invalid:
            self._refusals.note(invalid.reason.value, asked)
            raise
        if not principal.may(restaurant, roles):
            self._refusals.note(FORBIDDEN, asked, principal.subject)
            raise Forbidden
        return principal

    async def admit_somewhere(
        self, authorization: str | None, roles: Set[Role], *, asked: str
    ) -> Reach:
        """Where the sender of this header holds one of the roles: in one restaurant at least.

        Raises as `admit` does.
        """
        try:
            if authorization is None:
                raise InvalidToken(Reason.MISSING)
            token = bearer_token(authorization)
            principal = self._verifier.remembered(token) or await self._verifier.verify(token)
            reach = Reach(principal, roles, lambda each: self._is_withdrawn(each, principal))
            if self._is_withdrawn(EVERY_RESTAURANT, principal):
                raise InvalidToken(Reason.WITHDRAWN)
        except InvalidToken as invalid:
            self._refusals.note(invalid.reason.value, asked)
            raise
        if not reach.is_everywhere and not reach.named:
            self._refusals.note(FORBIDDEN, asked, principal.subject)
            raise Forbidden
        return reach

    def count(
        self,
        restaurant: str | None,
        principal: Principal,
        *,
        asked: str,
        stored_at_s: float | None = None,
    ) -> None:
        """Count a request of somebody who was let in. Raises TooManyRequests.

        A command is counted apart, by when its stream stored it, in seconds since the epoch: those
        that waited for us came no faster for it.
        """
        try:
            if stored_at_s is None:
                self._rates.count(restaurant, principal)
            else:
                self._command_rates.count(restaurant, principal, at_s=stored_at_s)
        except TooManyRequests:
            self._refusals.note(RATE, asked, principal.subject)
            raise

    @contextmanager
    def lease(self, restaurant: str, principal: Principal, *, asked: str) -> Iterator[Lease]:
        """How long somebody who was let in may be sent a feed, which has its place until then.

        Raises TooManyFeeds.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self._feeds.place(principal))
            except TooManyFeeds:
                self._refusals.note(FEEDS, asked, principal.subject)
                raise
            yield held.enter_context(self._take_lease(restaurant, principal))


def admission_by(
    settings: AccessSettings, withdrawals: Withdrawals, guests: GuestVerifier | None = None
) -> Admission:
    """Lets in whose tokens are as the settings say and are not withdrawn, and guests."""
    life_max_s = withdrawals.token_life_max_s
    expected = Expected(settings.issuer, settings.audience, settings.claim, life_max_s)
    keys = KeySet(source_of(settings.jwks))
    verifier = TokenVerifier(keys, expected)
    rates, command_rates = (
        Rates(settings.rate_per_subject, settings.rate_per_restaurant) for _ in range(2)
    )
    feeds = FeedPlaces(settings.feeds_per_subject)
    return Admission(
        verifier,
        withdrawals.is_withdrawn,
        withdrawals.lease,
        guests,
        rates,
        feeds,
        command_rates,
    )
