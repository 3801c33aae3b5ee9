"""The JetStream streams: who owns them, what they hold and how long."""

from dataclasses import dataclass

from comanda_contracts import subjects

MESSAGE_BYTES_MAX = 1_048_576 - 16_384
"""What a message may have, headers and body, on every stream but that of dead letters.

So the whole of it, with what a dead letter says beside, is within the server's 1 MiB.
"""


HOT_WINDOW_S = 30 * 86_400
"""How long the events of an order are on its stream at the least; older ones in its archive."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Stream):
    """The past of a stream: each message once more, with its sequence, its headers and its body.

    It is there for as long as the operator says, compressed, and on few subjects: they name no
    single order. What is stored comes into it a moment later.
    """

    origin: str
    """Name of the stream."""
    origin_subject: str
    """What all subjects of that stream look like: `orders.v1.*.*.*`."""
    archived_subject: str
    """What becomes of them, in words of NATS: `{{wildcard(n)}}` is what the n-th `*` stands for."""


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

ORDERS_ARCHIVE = Archive(
    name="ORDERS_ARCHIVE",
    owner=ORDERS.owner,
    subject=subjects.ALL_ARCHIVED_ORDERS,
    origin=ORDERS.name,
    origin_subject=subjects.order("*", "*", "*"),
    archived_subject=subjects.ARCHIVED_ORDER_TRANSFORM,
)
TICKETS_ARCHIVE = Archive(
    name="TICKETS_ARCHIVE",
    owner=TICKETS.owner,
    subject=subjects.ALL_ARCHIVED_TICKETS,
    origin=TICKETS.name,
    origin_subject=subjects.ticket("*", "*", "*", "*"),
    archived_subject=subjects.ARCHIVED_TICKET_TRANSFORM,
)

ALL_STREAMS = (ORDERS, RESTAURANTS, MENU, TICKETS, ACCESS, COMMANDS, DEAD_LETTERS)
ARCHIVES = (ORDERS_ARCHIVE, TICKETS_ARCHIVE)


def archive_of(stream: Stream) -> Archive | None:
    """Where the past of the stream is; None if the stream keeps all of it."""
    return next((each for each in ARCHIVES if each.origin == stream.name), None)
