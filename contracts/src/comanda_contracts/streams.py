"""The JetStream streams: who owns them, what they hold and how long."""

from dataclasses import dataclass

from comanda_contracts import subjects

MESSAGE_BYTES_MAX = 1_048_576 - 16_384
"""What a message may have, headers and body, on every stream but that of dead letters.

So the whole of it, with what a dead letter says beside, is within the server's 1 MiB.
"""


HOT_WINDOW_S = 30 * 86_400
"""How long the events of an order are on its stream at the least; older ones in an archive."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream. Its owner sets it up; everybody else only reads.

    Durations are in seconds; a `max_age` of 0 keeps messages until somebody says otherwise, and
    `kept_at_least` is how long a reader may rely on them, if that is less than `max_age`. In a work
    queue a message goes once it is done. With `newest_only` a message replaces the one before it on
    its subject.
    """

    name: str
    owner: str
    subject: str
    max_age: float = 0
    kept_at_least: float | None = None
    duplicate_window: float = 120
    work_queue: bool = False
    newest_only: bool = False


ORDERS = Stream("ORDERS", "ordering", subjects.ALL_ORDERS, kept_at_least=HOT_WINDOW_S)
RESTAURANTS = Stream("RESTAURANTS", "ordering", subjects.ALL_RESTAURANTS)
MENU = Stream("MENU", "ordering", subjects.ALL_MENUS)
TICKETS = Stream("TICKETS", "serving", subjects.ALL_TICKETS, kept_at_least=HOT_WINDOW_S)
ACCESS = Stream(
    "ACCESS",
    "ordering",
    subjects.ALL_ACCESS,
    max_age=32 * 86_400,  # a day more than any token lives
    newest_only=True,
)
COMMANDS = Stream(
    "COMMANDS",
    "ordering",
    subjects.ALL_COMMANDS,
    duplicate_window=0.1,  # the server's least: a command that comes again is to be answered again
    work_queue=True,
)
DEAD_LETTERS = Stream("DEAD_LETTERS", "every service", subjects.ALL_DEAD_LETTERS)

ALL_STREAMS = (ORDERS, RESTAURANTS, MENU, TICKETS, ACCESS, COMMANDS, DEAD_LETTERS)
