"""The page of results: tables between the marks in README.md, and the plots beside it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Spread
from tests.benchmarks.targets import TARGETS

HERE = Path(__file__).parent
PAGE, PLOTS = HERE / "README.md", HERE / "plots"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def renew(results: Mapping[str, Any], measured: Mapping[str, Spread], plots: Path) -> None:
    """Write what was measured into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join(_text(results, measured))
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    PLOTS.mkdir(exist_ok=True)
    for plot in plots.glob("*.svg"):
        shutil.copy(plot, PLOTS)


def _text(results: Mapping[str, Any], measured: Mapping[str, Spread]) -> Iterator[str]:
    machine, settings = results["machine"], results["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"Measured at {results['at']} on {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {settings['rounds']} rounds of "
        f"{settings['seconds']} s a measurement, {settings['orders']:,} orders in the past."
    )
    yield ""
    yield from _table(["what", "measured", "wanted"], _ratios(measured))
    yield ""
    yield "![Comanda's rates, where CRUD's are 1](plots/rates.svg)"
    yield ""
    yield "![How long reads take](plots/waits.svg)"
    yield ""
    yield "<details><summary>Every figure</summary>"
    yield ""
    rows = (
        [name, *(f"{each:,.1f}" for each in (spread.median, spread.least, spread.most))]
        for name, spread in sorted(measured.items())
    )
    yield from _table(["figure", "median", "least", "most"], rows)
    yield ""
    yield f"{versions}."
    yield ""
    yield "</details>"


def _ratios(measured: Mapping[str, Spread]) -> Iterator[Sequence[str]]:
    for target in TARGETS:
        reached = target.reached(measured)
        if reached is not None:
            missed = "" if target.met(reached) else ", **not met**"
            yield [target.about, f"{reached:.2f}", f"{target.bound}{missed}"]


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
