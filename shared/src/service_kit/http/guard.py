"""Lets a request through to its route or lane if whoever sends it may use that."""

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import FastAPI, Request, Response
from fastapi.routing import RouteContext, iter_route_contexts
from starlette._utils import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.access.admission import Admission
from service_kit.access.feed_places import TooManyFeeds
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.keys import KeysUnavailable
from service_kit.access.lease import LEASE
from service_kit.access.needs import PRINCIPAL, REACH, RESTAURANT, ROLES, Needs, Public, declared_by
from service_kit.access.principal import Forbidden
from service_kit.access.rates import TooManyRequests
from service_kit.http.fast_lane import LANE, FastLane, Lane, lane_of
from service_kit.http.feed_budget import too_many_feeds
from service_kit.http.problems import ProblemError
from service_kit.http.request_observer import FACTS, UNMATCHED, RequestFacts

SLUG = re.compile(SLUG_PATTERN)
KEYS_RETRY_AFTER_S = 1
SEVERAL_TOKENS = ""
"""What is no token: a request with several of them is refused as one that is malformed."""


class Undeclared(Exception):
    """A route or lane does not say what it needs, or in a way that the guard can't see to."""


class GuardedRoute(NamedTuple):
    """What requests with these methods and a path that begins with a match need."""

    methods: frozenset[str]
    path: re.Pattern[str]
    needs: Needs | Public
    template: str


# decision/0047: a token is verified where it is used
class Guard:
    """ASGI middleware that finds a request's lane or route, and refuses who may not use it.

    It goes by the lanes' and the routes' own patterns, in their order, and by the restaurant that
    the pattern found. A request that matches none goes on to the framework, which refuses it.
    """

    def __init__(self, app: ASGIApp, framework: FastAPI, admission: Admission) -> None:
        """Raises Undeclared."""
        self.app = app
        self._admission = admission
        self._lanes = lanes_of(framework)
        self._routes = list(guarded_routes(framework))
        self._templates: dict[int, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        facts = scope.get(FACTS) or RequestFacts()
        needed, restaurant = self._needed(scope, facts)
        if isinstance(needed, Needs):
            state = scope.setdefault("state", {})
            try:
                if needed.is_of_any:
                    reach = await self._admission.admit_somewhere(
                        _authorization(scope), needed.roles, asked=scope["path"]
                    )
                    principal, state[REACH] = reach.principal, reach
                    if needed.is_of_all and not reach.is_everywhere:
                        raise Forbidden
                else:
                    principal = await self._admission.admit(
                        _authorization(scope),
                        restaurant,
                        needed.roles,
                        asked=scope["path"],
                        admits_guests=needed.admits_guests,
                    )
                counted = None if needed.is_of_any else restaurant
                self._admission.count(counted, principal, asked=scope["path"])
            except (InvalidToken, Forbidden, KeysUnavailable, TooManyRequests) as refusal:
                await to_problem(refusal).response()(scope, receive, send)
                return
            facts.subject = principal.subject
            state[PRINCIPAL] = principal
            state[ROLES] = needed.roles
            state[LEASE] = partial(
                self._admission.lease, restaurant, principal, asked=scope["path"]
            )
        await self.app(scope, receive, send)

    def _needed(self, scope: Scope, facts: RequestFacts) -> tuple[Needs | Public | None, str]:
        """What the request's lane or route needs, and the restaurant; None if it has neither."""
        scope[LANE] = found = lane_of(scope, self._lanes)
        if found:
            lane, parts = found
            facts.route, facts.restaurant = self._template_of(lane, scope["path"]), _slug(parts[1])
            return declared_by(lane.needs), parts[1]
        path = get_route_path(scope)
        for methods, pattern, needed, template in self._routes:
            if scope["method"] in methods and (match := pattern.match(path)):
                restaurant = match.groupdict().get(RESTAURANT, "")
                facts.route, facts.restaurant = template, _slug(restaurant)
                return needed, restaurant
        return None, ""

    def _template_of(self, lane: Lane, path: str) -> str:
        """That of the route behind the lane."""
        found = self._templates.get(id(lane))
        if found is None:
            behind = (
                each.template
                for each in self._routes
                if lane.method in each.methods and each.path.match(path)
            )
            found = self._templates[id(lane)] = next(behind, UNMATCHED)
        return found


def _slug(restaurant: str) -> str:
    """The restaurant if it can be one: logs and spans take no text of whoever asks."""
    return restaurant if SLUG.fullmatch(restaurant) else ""


def lanes_of(framework: FastAPI) -> Sequence[Lane]:
    """The lanes ahead of the framework. Raises Undeclared for one that says not what it needs."""
    lanes: list[Lane] = []
    for middleware in framework.user_middleware:
        added: Any = middleware
        if added.cls is FastLane:
            lanes += added.kwargs["lanes"]
    for lane in lanes:
        needed = declared_by(lane.needs)
        if not isinstance(needed, Needs) or needed.is_of_any or not lane.path.groups:
            raise Undeclared(f"lane {lane.method} {lane.path.pattern}")
    return lanes


def guarded_routes(framework: FastAPI) -> Iterator[GuardedRoute]:
    """The routes in the order in which the framework looks at them. Raises Undeclared."""
    for route in iter_route_contexts(framework.routes):
        if not route.methods or getattr(route, "path_regex", None) is None:
            raise Undeclared(f"{route.path}: only routes with methods can be guarded")
        is_document = route.path == framework.openapi_url and not hasattr(route, "dependencies")
        needed = Public() if is_document else _needs_of(route)
        yield GuardedRoute(
            frozenset(route.methods), route.path_regex, needed, route.path or UNMATCHED
        )


def _needs_of(route: RouteContext) -> Needs | Public:
    declared = [
        needed for each in getattr(route, "dependencies", ()) if (needed := declared_by(each))
    ]
    if len(declared) != 1:
        raise Undeclared(f"{route.path} says {len(declared)} times what it needs")
    names_one = RESTAURANT in route.path_regex.groupindex
    if isinstance(declared[0], Needs) and declared[0].is_of_any is names_one:
        raise Undeclared(f"{route.path} needs a role, in another restaurant than the path says")
    return declared[0]


def _authorization(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        return SEVERAL_TOKENS
    return str(given[0], "latin-1") if given else None


def answer_forbidden(app: FastAPI) -> None:
    """Have the application answer 403 to what somebody may not do of what a route can."""

    @app.exception_handler(Forbidden)
    async def refused(_: Request, __: Forbidden) -> Response:
        return forbidden().response()


def answer_too_many_feeds(app: FastAPI) -> None:
    """Have the application answer 429 in place of a feed for which its reader has no place."""

    @app.exception_handler(TooManyFeeds)
    async def refused(_: Request, __: TooManyFeeds) -> Response:
        return too_many_feeds(429).response()


def to_problem(
    refusal: InvalidToken | Forbidden | KeysUnavailable | TooManyRequests,
) -> ProblemError:
    """The problem that somebody is answered with who is not let in."""
    match refusal:
        case InvalidToken():
            return unauthenticated(refusal)
        case Forbidden():
            return forbidden()
        case KeysUnavailable():
            return keys_unavailable()
        case TooManyRequests():
            return too_many_requests(refusal.wait_s)


def refusals() -> list[ProblemError]:
    """What a request to any route that needs a role may be refused with."""
    invalid = InvalidToken(Reason.EXPIRED)
    return [unauthenticated(invalid), forbidden(), keys_unavailable(), too_many_requests(0.0)]


def unauthenticated(invalid: InvalidToken) -> ProblemError:
    """There is no good token (RFC 6750, section 3)."""
    challenge = "Bearer"
    if invalid.reason is not Reason.MISSING:
        challenge = f'Bearer error="invalid_token", error_description="{invalid.told}"'
    detail = f"A good access token is needed. This one: {invalid.told}."
    return ProblemError(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def forbidden() -> ProblemError:
    """The token is good, and grants nothing that is needed in this restaurant."""
    return ProblemError(
        403,
        "forbidden",
        "The token grants no role in this restaurant that may do this.",
        headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    )


def too_many_requests(wait_s: float) -> ProblemError:
    """The subject, or the restaurant, has asked too often (RFC 6585, section 4)."""
    return ProblemError(
        429,
        "too-many-requests",
        "Too many requests of this token's subject, or for this restaurant. Ask more slowly.",
        headers={"Retry-After": str(math.floor(wait_s) + 1)},
    )


def keys_unavailable() -> ProblemError:
    """The issuer's keys have not been read yet."""
    return ProblemError(
        503,
        "keys-unavailable",
        "The keys that verify access tokens have not been read yet.",
        headers={"Retry-After": str(KEYS_RETRY_AFTER_S)},
    )
