"""What the kitchen's routes need of whoever asks."""

from service_kit.access.needs import needs
from service_kit.access.roles import Role

KITCHEN = needs(Role.KITCHEN, Role.MANAGER)
