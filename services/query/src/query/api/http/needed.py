"""What questions need of whoever asks them."""

from service_kit.access.needs import needs, needs_somewhere
from service_kit.access.roles import Role

ORDERS = needs(Role.TILL, Role.MANAGER, Role.READER)
OWN_ORDER = needs(Role.TILL, Role.MANAGER, Role.READER, or_guest=True)
BOARD = needs(Role.TILL, Role.BOARD, Role.MANAGER)
MENU = needs(Role.TILL, Role.KITCHEN, Role.BOARD, Role.MANAGER)
SALES = needs(Role.MANAGER, Role.READER)
ANY_ROLE = needs_somewhere(*Role)
CHAIN_SALES = needs_somewhere(Role.MANAGER, Role.READER)
