"""Guests, who see their own order and nothing else."""

from fastapi import Request
from service_kit.access.needs import PRINCIPAL
from service_kit.access.principal import Principal

from query.api.http.responses import unknown_order


def is_guest_of(principal: Principal | None, restaurant: str, order_id: str) -> bool:
    """Whether a guest asks for his own order. Raises ProblemError (404) if for another one."""
    if principal is None or principal.own_order is None:
        return False
    if principal.own_order != (restaurant, order_id):
        raise unknown_order(restaurant, order_id)
    return True


def is_asked_by_guest(request: Request, restaurant: str, order_id: str) -> bool:
    """The same of whoever sent the request. Raises ProblemError (404)."""
    return is_guest_of(getattr(request.state, PRINCIPAL, None), restaurant, order_id)
