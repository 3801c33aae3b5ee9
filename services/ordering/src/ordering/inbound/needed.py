"""What commands and questions need of whoever sends them, over HTTP and over NATS."""

from collections.abc import Mapping

from service_kit.access.needs import needs
from service_kit.access.roles import Role

ORDER_TAKERS = frozenset({Role.TILL, Role.MANAGER})

ORDERS = needs(*ORDER_TAKERS)
FORGETTING = needs(Role.MANAGER)
ORDER_READING = needs(Role.TILL, Role.MANAGER, Role.READER)
RESTAURANT = needs(Role.MANAGER, Role.OPERATOR)
WITHDRAWAL = needs(Role.MANAGER, Role.OPERATOR)
DAY_CLOSING = needs(Role.MANAGER)
MENU_READING = needs(Role.TILL, Role.KITCHEN, Role.MANAGER, Role.BOARD, Role.OPERATOR)
MENU = needs(Role.MANAGER)
AVAILABILITY = needs(Role.KITCHEN, Role.MANAGER)

COMMANDS: Mapping[str, frozenset[Role]] = {
    "place-order": ORDER_TAKERS,
    "add-items": ORDER_TAKERS,
    "cancel-order": ORDER_TAKERS,
    "close-order": ORDER_TAKERS,
}
"""One of these roles is needed for a command over NATS, by its name."""
