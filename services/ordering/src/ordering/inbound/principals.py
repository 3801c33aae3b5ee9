"""Principals in the words of the domain."""

from collections.abc import Set

from service_kit.access.principal import Forbidden, Principal
from service_kit.access.roles import Role

from ordering.domain.events import Sender


def sender_of(principal: Principal, restaurant: str, roles: Set[Role]) -> Sender:
    """Who was let in there by the first of these roles that he holds. Raises Forbidden."""
    role = principal.role_in(restaurant, roles)
    if role is None:
        raise Forbidden
    return Sender(subject=principal.subject, role=role.value, device=principal.device)
