"""A system's status as tables for a terminal, and as JSON."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comanda_local.status.system_status import (
    READY,
    ConsumerStatus,
    ServiceStatus,
    SystemStatus,
    troubles,
)

DAY_S = 86_400
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def print_status(status: SystemStatus, console: Console) -> None:
    """Everything, and in the last line what is wrong."""
    wrong = troubles(status)
    for table in _tables(status):
        console.print(table)
    said = f"Wrong: {'; '.join(wrong)}" if wrong else "All is well."
    console.print(_text(said, "bold red" if wrong else "bold green"), soft_wrap=True)


def as_json(status: SystemStatus) -> str:
    """All of it, with what is wrong in `wrong`."""
    return json.dumps({"wrong": troubles(status), **asdict(status)}, indent=2)


def _tables(status: SystemStatus) -> Iterator[Table]:
    yield _table(("service", "state", "components"), _service_rows(status.services))
    stores = [
        (each.name, each.version, _bytes(each.bytes), each.reason or (READY * each.is_known))
        for each in status.stores
    ]
    yield _table(("store", "version", "holds", "state"), stores)
    if status.streams is not None:
        yield _table(
            ("stream", "messages", "holds", "of at most", "keeps", "copies"),
            [
                (
                    each.name,
                    f"{each.messages:,}",
                    _bytes(each.bytes),
                    _bytes(each.bytes_max),
                    _age(each.age_max_s),
                    str(each.copies),
                )
                for each in status.streams
            ],
        )
        yield _table(
            ("consumer", "behind", "of them unsettled", "oldest"),
            _consumer_rows(status.consumers),
        )
    if outbox := status.outbox:
        row = (f"{outbox.events:,}", _seconds(outbox.oldest_s), f"{outbox.parked:,}")
        yield _table(("outbox: events", "oldest", "parked"), [row])
    if status.dead_letters:
        rows = [(service, f"{count:,}") for service, count in status.dead_letters.items()]
        yield _table(("dead letters of", "letters"), rows)


def _service_rows(services: Sequence[ServiceStatus]) -> Iterator[tuple[str, str, str]]:
    for service in services:
        working = [name for name, state in service.components.items() if state == READY]
        failing = [f"{name}: {state}" for name, state in service.failing.items()]
        components = "\n".join([*failing, ", ".join(working)] if working else failing)
        yield service.name, service.state, components or service.reason


def _consumer_rows(
    consumers: Sequence[ConsumerStatus],
) -> Iterator[tuple[str, str, str, str]]:
    """A row for each that something waits for, and one for all others."""
    done = [each for each in consumers if not each.behind and not each.unsettled]
    for each in consumers:
        if each not in done:
            behind, unsettled = f"{each.behind:,}", f"{each.unsettled:,}"
            yield f"{each.stream}/{each.name}", behind, unsettled, _seconds(each.oldest_s)
    if done:
        yield f"{len(done)} that nothing waits for", "0", "0", ""


def _table(
    columns: Sequence[str], rows: "Iterator[Sequence[str]] | Sequence[Sequence[str]]"
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(_text(column))
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(said: str, style: str = "") -> Text:
    """What a server said moves no terminal's cursor, and is no markup."""
    return Text(
        "".join(each if each.isprintable() or each == "\n" else "?" for each in said), style
    )


def _bytes(count: float | None) -> str:
    if count is None:
        return ""
    power = min(int(math.log2(count or 1)) // 10, len(UNITS) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {UNITS[power]}"


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / DAY_S:g} d"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
