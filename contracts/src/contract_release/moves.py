"""What may happen to an order, a ticket and so on, and what it is afterwards: for the catalogue.

The services' domains decide; tests hold this against them.
"""

from typing import NamedTuple


class Move(NamedTuple):
    """An event, by its name, and the statuses around it; the first of an aggregate has none."""

    before: str
    event: str
    after: str


NOTHING = ""

ORDER = (
    Move(NOTHING, "placed", "open"),
    Move("open", "items-added", "open"),
    Move("open", "cancellation-requested", "cancelling"),
    Move("cancelling", "cancellation-requested", "cancelling"),
    Move("cancelling", "cancellation-refused", "open"),
    Move("cancelling", "items-cancelled", "open"),
    Move("cancelling", "cancelled", "cancelled"),
    Move("open", "closed", "closed"),
    Move("cancelling", "closed", "closed"),
    Move("cancelled", "forgotten", "cancelled"),
    Move("closed", "forgotten", "closed"),
)
TICKET = (
    Move(NOTHING, "queued", "queued"),
    Move("queued", "started", "preparing"),
    Move("queued", "ready", "ready"),
    Move("preparing", "ready", "ready"),
    Move("ready", "recalled", "preparing"),
    Move("ready", "served", "served"),
    Move("served", "recalled", "ready"),
    Move("queued", "voided", "voided"),
    Move("voided", "voided", "voided"),
    Move("preparing", "void-refused", "preparing"),
    Move("ready", "void-refused", "ready"),
    Move("served", "void-refused", "served"),
    Move("preparing", "abandoned", "abandoned"),
    Move("ready", "abandoned", "abandoned"),
    Move("abandoned", "abandoned", "abandoned"),
    Move("abandoned", "void-refused", "abandoned"),
    Move("served", "forgotten", "served"),
    Move("voided", "forgotten", "voided"),
    Move("abandoned", "forgotten", "abandoned"),
)
MENU = (
    Move(NOTHING, "item-set", "offered"),
    Move("offered", "item-set", "offered"),
    Move("offered", "item-withdrawn", "withdrawn"),
)
RESTAURANT = (Move(NOTHING, "set", "open"), Move("open", "set", "open"))
ACCESS = (Move(NOTHING, "withdrawn", "withdrawn"), Move("withdrawn", "withdrawn", "withdrawn"))


def following(moves: tuple[Move, ...], event: str) -> list[str]:
    """The events that may be the next of an aggregate after this one, in the moves' order."""
    reached = {move.after for move in moves if move.event == event}
    return list(dict.fromkeys(move.event for move in moves if move.before in reached))
