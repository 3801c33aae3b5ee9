"""Guests, who see their own order and nothing else."""

from service_kit.access.principal import Principal

from query.api.http.responses import unknown_order


def is_guest_of(principal: Principal | None, restaurant: str, order_id: str) -> bool:
    """Whether a guest asks for his own order. Raises ProblemError (404) if for another one."""
    if principal is None or principal.own_order is None:
        return False
    if principal.own_order != (restaurant, order_id):
        raise unknown_order(restaurant, order_id)
    return True
