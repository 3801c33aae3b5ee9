"""The roles that a token grants in restaurants."""

from enum import StrEnum

EVERY_RESTAURANT = "*"
"""In a token's grants it stands for all restaurants."""
ACT_AS = "act-as"
"""No role: the grant to name somebody else as the actor of an event."""


class Role(StrEnum):
    """What somebody may do in a restaurant; which routes that is, each route declares."""

    TILL = "till"
    KITCHEN = "kitchen"
    MANAGER = "manager"
    BOARD = "board"
    READER = "reader"
    OPERATOR = "operator"
