"""Who sends a request, as the verified token says."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from service_kit.access.roles import EVERY_RESTAURANT, Role

NO_ROLES: frozenset[Role] = frozenset()


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
    expires_at: float
    """Seconds since the epoch."""

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

    def may_act_as(self, restaurant: str) -> bool:
        """Whether somebody else may be named as the actor in the restaurant."""
        return restaurant in self.acting or EVERY_RESTAURANT in self.acting
