"""Who sends a request, as the verified token says."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from service_kit.access.roles import EVERY_RESTAURANT, Role

NO_ROLES: frozenset[Role] = frozenset()
SPACE_BYTES = 16


class Forbidden(Exception):
    """Somebody is known, and may not do this in the restaurant."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token was verified, and what it grants."""

    subject: str
    device: str | None
    grants: Mapping[str, frozenset[Role]]
    """Roles by the restaurant's slug; those of `*` are held in every restaurant."""
    acting: frozenset[str]
    """The restaurants, or `*`, in which somebody else may be named as the actor."""
    issued_at: float
    begins_at: float
    """From when on the token is good: since its issue, or later if it says so."""
    expires_at: float
    """Seconds since the epoch, as the others."""
    own_order: tuple[str, str] | None = None
    """Of a guest, who may nothing else: the restaurant and the id of his order."""

    def may(self, restaurant: str, roles: Set[Role]) -> bool:
        """Whether one of these roles is held in the restaurant."""
        grants = self.grants
        return not (
            roles.isdisjoint(grants.get(restaurant, NO_ROLES))
            and roles.isdisjoint(grants.get(EVERY_RESTAURANT, NO_ROLES))
        )

    def role_in(self, restaurant: str, roles: Set[Role]) -> Role | None:
        """The first of these roles, as they are listed in `Role`, that is held there."""
        held = self.grants.get(restaurant, NO_ROLES) | self.grants.get(EVERY_RESTAURANT, NO_ROLES)
        return next((role for role in Role if role in roles and role in held), None)

    def actor(self, restaurant: str, named: str | None) -> str:
        """Who does what is asked for: the subject, or who is named. Raises Forbidden."""
        if named is None:
            return self.subject
        if not self.may_act_as(restaurant):
            raise Forbidden
        return named

    @property
    def key_space(self) -> str:
        """A name for the subject's own idempotency keys, which are no other subject's."""
        return key_space_of(self.subject)

    def may_act_as(self, restaurant: str) -> bool:
        """Whether somebody else may be named as the actor in the restaurant."""
        return restaurant in self.acting or EVERY_RESTAURANT in self.acting


def key_space_of(subject: str) -> str:
    """A name for a subject's own idempotency keys, which are no other subject's."""
    digest = hashlib.sha256(subject.encode()).digest()[:SPACE_BYTES]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Reach:
    """The restaurants in which somebody may do something, of a question that names none."""

    principal: Principal
    roles: Set[Role]
    """One of them is needed."""
    is_withdrawn: Callable[[str], bool]
    """Whether his token was withdrawn in this restaurant."""

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every restaurant, but for those that `has` excepts."""
        return not self.roles.isdisjoint(self.principal.grants.get(EVERY_RESTAURANT, NO_ROLES))

    @property
    def named(self) -> list[str]:
        """Those that the token names, whether or not there are such restaurants; sorted."""
        named = self.principal.grants.keys() - {EVERY_RESTAURANT}
        return sorted(each for each in named if self.has(each))

    def has(self, restaurant: str) -> bool:
        """Whether it may be done there."""
        return self.principal.may(restaurant, self.roles) and not self.is_withdrawn(restaurant)
