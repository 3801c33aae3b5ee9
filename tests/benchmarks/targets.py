"""What is compared with what, and how much of it is wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.benchmarks.figures import Spread

Medians = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of two figures of one run; at least `wanted`, or a figure at most `wanted`."""

    about: str
    figure: str
    baseline: str | None
    """None: the figure itself is what counts."""
    wanted: float
    at_most: bool = False
    inverse: bool = False
    """The baseline over the figure: of durations, how many times shorter."""

    def reached(self, measured: Mapping[str, Spread]) -> float | None:
        """The ratio, or the figure; None if it was not measured, or for too short a time."""
        figure = measured[self.figure].median if self.figure in measured else 0
        if self.baseline is None:
            return figure or None
        baseline = measured[self.baseline].median if self.baseline in measured else 0
        if not figure or not baseline:
            return None
        return baseline / figure if self.inverse else figure / baseline

    @property
    def bound(self) -> str:
        """What is wanted; nothing, if the ratio is only to be known."""
        return f"{'≤' if self.at_most else '≥'} {self.wanted:g}" if self.wanted else ""

    def met(self, reached: float) -> bool:
        """Whether that is good enough."""
        return reached <= self.wanted if self.at_most else reached >= self.wanted


NAMES = {
    "comanda": "query one process",
    "comanda_reader": "query's API apart",
    "crud": "CRUD",
    "crud_reader": "CRUD, reads apart",
}


def _while_busy(about: str, figure: str, baseline: str, wanted: float) -> Target:
    ours, theirs = (NAMES[each.partition(".")[0]] for each in (figure, baseline))
    return Target(
        f"{about} while orders pour in, p99, times shorter: {ours}, against {theirs}",
        f"{figure}.busy.p99_ms",
        f"{baseline}.busy.p99_ms",
        wanted,
        inverse=True,
    )


def _beside(neighbour: str, about: str) -> Target:
    return Target(
        f"orders beside {about}, p99, times as long as without",
        f"comanda.neighbour.{neighbour}.p99_ms",
        "comanda.neighbour.none.p99_ms",
        2,
        at_most=True,
    )


TARGETS = (
    Target("orders placed, one process each", "comanda.placed", "crud.placed", 5),
    Target("placed, queued and visible, against placed", "comanda.pipeline", "crud.placed", 2),
    Target("lag at 200 orders/s, p50 ms", "comanda.lag.steady.p50_ms", None, 15, at_most=True),
    Target("lag at 200 orders/s, p99 ms", "comanda.lag.steady.p99_ms", None, 75, at_most=True),
    _beside("flood", "a flood of another restaurant's"),
    _beside("poison", "the poison corpus"),
    Target("relay, against pipelined publishing", "comanda.relay", "limit.jetstream.publish", 0.6),
    Target("projector, against bulk upserts", "comanda.projector", "limit.mongodb.upserts", 0.6),
    Target("an order", "comanda.order", "crud.order", 6),
    Target(
        "an order by a new token, against a known one",
        "comanda.order.new_tokens",
        "comanda.order",
        0,
    ),
    Target("an order by a new token", "comanda.order.new_tokens", "crud.order.new_tokens", 0),
    Target("a table's orders", "comanda.table", "crud.table", 7),
    Target("the day's top ten", "comanda.top", "crud.top", 10),
    Target("the board, against all active orders", "comanda.board", "crud.active", 100),
    Target("the board, against just what it shows", "comanda.board", "crud.board", 0),
    Target("all active orders", "comanda.active", "crud.active", 0),
    _while_busy("an order", "comanda_reader.order", "crud.order", 20),
    _while_busy("an order", "comanda_reader.order", "crud_reader.order", 0),
    _while_busy("an order", "comanda.order", "crud.order", 0),
    _while_busy("the board", "comanda_reader.board", "crud.board", 20),
    _while_busy("the board", "comanda_reader.board", "crud_reader.board", 0),
    _while_busy("the board", "comanda.board", "crud.board", 0),
)
