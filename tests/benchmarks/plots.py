"""The results as pictures: how Comanda compares, how long reads wait, how it grows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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
    "truncate_label": -1,
    "logarithmic": True,
}
STEPS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000]

COMPARED = {
    "placed": "orders placed",
    "order": "an order",
    "table": "a table's orders",
    "active": "all active orders",
    "board": "the board",
    "top": "the day's top ten",
}
PROJECTED = "comanda.projector"
CONTESTANTS = {
    "crud": "CRUD",
    "crud_reader": "CRUD, reads apart",
    "comanda": "Comanda",
    "comanda_reader": "Comanda, query's API apart",
}


def draw(folder: Path, measured: Measured) -> None:
    """Write `rates.svg` and `waits.svg`."""
    _rates(measured).render_to_file(str(folder / "rates.svg"))
    _waits(measured).render_to_file(str(folder / "waits.svg"))


def draw_growth(folder: Path, grown: Mapping[int, Measured]) -> None:
    """Write `growth.svg`: by the number of orders in the past, reads and projected events."""
    sizes = sorted(grown)
    chart = pygal.Line(title="Answers a second, by orders in the past", **LOOK)
    chart.x_labels = [f"{size:,}" for size in sizes]
    for who, name in (("comanda", "Comanda"), ("crud", "CRUD")):
        dashes = {"stroke_style": {"dasharray": "6, 4"}} if who == "crud" else {}
        for question in ("order", "table", "active", "board", "top"):
            rates = [_median(grown[size], f"{who}.{question}") for size in sizes]
            chart.add(f"{name}: {COMPARED[question]}", rates, **dashes)
    chart.add("Comanda: events projected", [_median(grown[each], PROJECTED) for each in sizes])
    chart.render_to_file(str(folder / "growth.svg"))


def _rates(measured: Measured) -> pygal.HorizontalBar:
    ratios = {}
    for name, about in reversed(COMPARED.items()):
        ours, theirs = (_median(measured, f"{who}.{name}") for who in ("comanda", "crud"))
        if ours and theirs:
            ratios[about] = ours / theirs
    chart = pygal.HorizontalBar(title="Answers a second, where CRUD's are 1", **LOOK)
    chart.config(print_values=True, show_legend=False, value_formatter="{:.3g}".format)
    chart.config(x_labels=list(ratios), **_steps(ratios.values()))
    chart.add("Comanda", list(ratios.values()))
    return chart


def _waits(measured: Measured) -> pygal.Bar:
    chart = pygal.Bar(title="Milliseconds that a read takes at the 99th percentile", **LOOK)
    chart.config(print_values=True, value_formatter="{:.0f}".format)
    waits = [(question, when) for question in ("order", "board") for when in ("quiet", "busy")]
    about = {"quiet": "no writes", "busy": "while orders pour in"}
    waited = {
        name: [_median(measured, f"{who}.{question}.{when}.p99_ms") for question, when in waits]
        for who, name in CONTESTANTS.items()
    }
    labels = [f"{COMPARED[question]}, {about[when]}" for question, when in waits]
    chart.config(x_labels=labels, **_steps(each or 1 for row in waited.values() for each in row))
    for name, row in waited.items():
        chart.add(name, row)
    return chart


def _steps(values: Iterable[float]) -> dict[str, Any]:
    """An axis from 1 to beyond the largest value, with few labels."""
    largest = max(values)
    labels = [step for step in STEPS if step < largest]
    labels.append(STEPS[min(len(labels), len(STEPS) - 1)])
    return {"y_labels": labels, "range": (1, labels[-1]), "zero": 1}


def _median(measured: Measured, name: str) -> float | None:
    """None, which leaves a gap, for what was not measured."""
    return (measured[name].median or None) if name in measured else None
