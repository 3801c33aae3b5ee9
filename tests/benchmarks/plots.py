"""The results as pictures: how Comanda compares, how long reads wait, how it grows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pygal
from pygal.style import CleanStyle

from tests.benchmarks.figures import Spread

Measured = Mapping[str, Spread]

LOOK = {
    "style": CleanStyle(font_family="sans-serif", background="white", plot_background="white"),
    "js": [],  # a picture, no program
    "width": 900,
    "height": 420,
    "legend_at_bottom": True,
    "truncate_legend": -1,
}

COMPARED = {
    "placed": "orders placed",
    "order": "an order",
    "table": "a table's orders",
    "active": "all active orders",
    "board": "the board",
    "top": "the day's top ten",
}
CONTESTANTS = {"crud": "CRUD", "crud_reader": "CRUD, reads apart", "comanda": "Comanda"}


def draw(folder: Path, measured: Measured) -> None:
    """Write `rates.svg` and `waits.svg`."""
    _rates(measured).render_to_file(str(folder / "rates.svg"))
    _waits(measured).render_to_file(str(folder / "waits.svg"))


def draw_growth(folder: Path, grown: Mapping[int, Measured]) -> None:
    """Write `growth.svg`: by the number of orders in the past, reads and projected events."""
    sizes = sorted(grown)
    chart = pygal.Line(title="A second, by orders in the past", logarithmic=True, **LOOK)
    chart.x_labels = [f"{size:,}" for size in sizes]
    for name in _grown(grown[sizes[0]]):
        chart.add(name, [_median(grown[size], name) for size in sizes])
    chart.render_to_file(str(folder / "growth.svg"))


def _rates(measured: Measured) -> pygal.HorizontalBar:
    chart = pygal.HorizontalBar(
        title="Comanda, where CRUD is 1", logarithmic=True, print_values=True, **LOOK
    )
    chart.value_formatter = lambda ratio: f"{ratio:.1f} times"
    for name, about in reversed(COMPARED.items()):
        ours, theirs = (_median(measured, f"{who}.{name}") for who in ("comanda", "crud"))
        if ours and theirs:
            chart.add(about, [ours / theirs])
    return chart


def _waits(measured: Measured) -> pygal.Bar:
    chart = pygal.Bar(
        title="Milliseconds that a read takes at the 99th percentile",
        logarithmic=True,
        print_values=True,
        **LOOK,
    )
    chart.value_formatter = lambda waited: f"{waited:.0f}"
    waits = [(question, when) for question in ("order", "board") for when in ("quiet", "busy")]
    about = {"quiet": "no writes", "busy": "while orders pour in"}
    chart.x_labels = [f"{COMPARED[question]}, {about[when]}" for question, when in waits]
    for contestant, name in CONTESTANTS.items():
        figures = [f"{contestant}.{question}.{when}.p99_ms" for question, when in waits]
        chart.add(name, [_median(measured, each) for each in figures])
    return chart


def _grown(measured: Measured) -> Sequence[str]:
    return [name for name in measured if not name.endswith(("_ms", "_mib"))]


def _median(measured: Measured, name: str) -> float | None:
    """None, which leaves a gap, for what was not measured."""
    return (measured[name].median or None) if name in measured else None
