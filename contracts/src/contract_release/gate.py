"""The compatibility gate: what breaks whom, if the contract changes from one to another.

An event is kept for ever, so it must suit in both directions: who knows the old schema reads what
is published from now on, and who knows the new one reads what was published before. That leaves
one kind of change, a further field that may be missing. A command is read once, by us: we may take
more than before, never less.
"""

# decision/0012: a published event is frozen in both directions

from collections.abc import Iterator
from dataclasses import dataclass

from contract_release.changes import Effect, changes
from contract_release.contract import Json
from contract_release.readers import readers_of

EVERYBODY = "everybody who reads any event"


@dataclass(frozen=True, slots=True)
class Break:
    """Something that somebody relies on and that would no longer hold."""

    where: str
    """Which event, command or stream."""
    what: str
    whom: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; this breaks {self.whom}"


def breaks(old: Json, new: Json) -> list[Break]:
    """What the step from one contract to the other breaks; additions break nothing."""
    return [
        *_streams(old, new),
        *_shape("headers", old["headers"], new["headers"], EVERYBODY),
        *_command_headers(old, new),
        *(each for name in old["events"] for each in _event(name, old, new)),
        *(each for name in old["commands"] for each in _command(name, old, new)),
    ]


def _streams(old: Json, new: Json) -> Iterator[Break]:
    for name, before in old["streams"].items():
        after = new["streams"].get(name)
        whom = f"everybody who has a consumer on {name}"
        if after is None:
            yield Break(f"stream {name}", "was removed", whom)
            continue
        for field in ("subject", "work_queue"):
            if before[field] != after[field]:
                what = f"{field} is {after[field]!r}, not {before[field]!r}"
                yield Break(f"stream {name}", what, whom)
        if _kept(after) < _kept(before):
            what = f"keeps its messages for {after['max_age']} s, no longer"
            yield Break(f"stream {name}", what, f"{whom} and catches up from its beginning")


def _kept(stream: Json) -> float:
    return float(stream["max_age"] or "inf")


def _event(name: str, old: Json, new: Json) -> Iterator[Break]:
    where, before, after = f"event {name}", old["events"][name], new["events"].get(name)
    whom = _readers(before["subject"])
    if after is None:
        yield Break(where, "was removed", whom)
        return
    for field in ("stream", "subject", "source"):
        if before[field] != after[field]:
            yield Break(where, f"{field} is {after[field]!r}, not {before[field]!r}", whom)
    yield from _shape(where, before["schema"], after["schema"], whom)


def _shape(where: str, old: Json, new: Json, whom: str) -> Iterator[Break]:
    """Both directions: `whom` reads the new with the old schema, or the old with the new one."""
    for change in changes(old, new):
        if Effect.MORE in change.effect:
            yield Break(where, str(change), f"{whom}, in what is published from now on")
        else:
            yield Break(where, str(change), f"{whom}, in what was published before")


def _command(name: str, old: Json, new: Json) -> Iterator[Break]:
    where, before, after = f"command {name}", old["commands"][name], new["commands"].get(name)
    whom = f"who sends {before['subject']}"
    if after is None:
        yield Break(where, "was removed", whom)
        return
    if before["subject"] != after["subject"]:
        yield Break(where, f"subject is {after['subject']!r}, not {before['subject']!r}", whom)
    for change in changes(before["schema"], after["schema"]):
        if Effect.FEWER in change.effect:
            yield Break(where, str(change), whom)


# decision/0039: a command says who it is and how long it is meant
def _command_headers(old: Json, new: Json) -> Iterator[Break]:
    """None before the release that first wrote them down."""
    after = new["command_headers"]
    for change in changes(old.get("command_headers") or after, after):
        if Effect.FEWER in change.effect:
            yield Break("headers of commands", str(change), "who sends any command")


def _readers(subject: str) -> str:
    known = ", ".join(readers_of(subject)) or "nobody known"
    return f"readers of {subject} ({known})"
