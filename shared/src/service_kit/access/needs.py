"""What a route or a lane needs of whoever asks: declared where it is made, and shown in OpenAPI."""

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Depends as Dependency
from fastapi.security.base import SecurityBase

from service_kit.access.principal import Principal, Reach
from service_kit.access.roles import Role

PRINCIPAL = "principal"
"""The name in a request's state under which the guard leaves who asks."""
ROLES = "roles"
"""The name under which it leaves the roles, one of which let in who asks."""
REACH = "reach"
"""The name under which it leaves where it may be done, of a route that names no restaurant."""
RESTAURANT = "restaurant"
"""The parameter of a path that names the restaurant."""


class Unguarded(Exception):
    """A request came to a route by a way that the guard did not see."""


class Needs(SecurityBase):
    """One of these roles, in the restaurant that the route matched or, of none, in any.

    The guard sees to it ahead of the framework. As a dependency it looks once more, so that nothing
    comes through a gap between what the guard matches and what the framework does.
    """

    def __init__(
        self,
        roles: frozenset[Role],
        *,
        admits_guests: bool = False,
        is_of_any: bool = False,
        is_of_all: bool = False,
    ) -> None:
        self.roles = roles
        self.is_of_all = is_of_all
        """Whether the route is about all restaurants at once: it is needed in each of them, `*`."""
        self.is_of_any = is_of_any
        """Whether the route names no restaurant, and sees to it that none is answered for that is
        not within the reach of whoever asks."""
        self.admits_guests = admits_guests
        """Whether a guest is let in, too; the route sees to it that he sees his own order alone."""
        self.scheme_name = "token"
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description="An access token (RFC 9068) that grants one of these roles there. "
            "It is verified as RFC8725 asks.",
        )

    async def __call__(self, request: Request) -> Principal:
        principal = principal_of(request)
        if self.is_of_any:
            reach_of(request)
            return principal
        if self.admits_guests and principal.own_order:
            return principal
        if not principal.may(request.path_params[RESTAURANT], self.roles):
            raise Unguarded
        return principal


class Public:
    """Nothing is needed: whoever asks is answered. It is said, so that it is not forgotten."""

    async def __call__(self) -> None:
        """Let everybody through."""


def needs(*roles: Role, or_guest: bool = False) -> Dependency:
    """For `dependencies=[…]` of a route or router, and for a lane: one of the roles is needed.

    With `or_guest` a guest is let in, too, whose own order the route has to look for.
    """
    if not roles:
        raise ValueError("nobody could ask")
    declared: Dependency = Security(
        Needs(frozenset(roles), admits_guests=or_guest), scopes=sorted(roles)
    )
    return declared


def needs_somewhere(*roles: Role) -> Dependency:
    """As `needs`, for a route that names no restaurant: one of the roles is needed in any."""
    if not roles:
        raise ValueError("nobody could ask")
    declared: Dependency = Security(Needs(frozenset(roles), is_of_any=True), scopes=sorted(roles))
    return declared


def needs_everywhere(*roles: Role) -> Dependency:
    """As `needs`, for a route that is about all restaurants: one is needed in every one, `*`."""
    if not roles:
        raise ValueError("nobody could ask")
    needed = Needs(frozenset(roles), is_of_any=True, is_of_all=True)
    declared: Dependency = Security(needed, scopes=sorted(roles))
    return declared


def declared_by(dependency: Dependency | None) -> Needs | Public | None:
    """What the dependency declares; None if it is for something else."""
    declared = dependency.dependency if dependency else None
    return declared if isinstance(declared, Needs | Public) else None


PUBLIC: Dependency = Depends(Public())
"""The same, for what everybody may ask."""


def principal_of(request: Request) -> Principal:
    """Who asks. Raises Unguarded for a request that came round the guard."""
    principal = getattr(request.state, PRINCIPAL, None)
    if not isinstance(principal, Principal):
        raise Unguarded
    return principal


def reach_of(request: Request) -> Reach:
    """Where who asks may do it. Raises Unguarded for a request that came round the guard."""
    reach = getattr(request.state, REACH, None)
    if not isinstance(reach, Reach):
        raise Unguarded
    return reach


def needed_roles(request: Request) -> frozenset[Role]:
    """The roles, one of which was needed. Raises Unguarded for a request round the guard."""
    roles = getattr(request.state, ROLES, None)
    if not isinstance(roles, frozenset):
        raise Unguarded
    return roles
