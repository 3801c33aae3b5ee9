"""The compatibility gate: what breaks readers, if the contract changes from one to another.

An event is kept for long, so it must suit in both directions: who knows the old schema reads what
is published from now on, and who knows the new one reads what was published before. That leaves
two kinds of change: a further field that may be missing, and a further value where any text is to
be expected. A command is read once, by us: we may take more than before, never less.
"""

# decision/0012: a published event is frozen in both directions
# decision/0059: enumerations of events are open

from collections.abc import Iterator
from dataclasses import dataclass

from contract_release.contract import Json
from contract_release.readers import readers_of
from contract_release.schema_diff import Effect, schema_changes

EVERYBODY = "everybody who reads any event"


@dataclass(frozen=True, slots=True)
class BreakingChange:
    """Something that somebody relies on and that would no longer hold."""

    where: str
    """Which event, command or stream."""
    change: str
    readers: str
    """Who relies on it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.change}; this breaks {self.readers}"


def breaking_changes(old: Json, new: Json) -> list[BreakingChange]:
    """What the step from one contract to the other breaks; additions break nothing."""
    return [
        *_streams(old, new),
        *_schema("headers", old["headers"], new["headers"], EVERYBODY),
        *_command_headers(old, new),
        *_known_values(old, new),
        *(each for name in old["events"] for each in _event(name, old, new)),
        *(each for name in old["commands"] for each in _command(name, old, new)),
        *_successions(old, new),
    ]


def _streams(old: Json, new: Json) -> Iterator[BreakingChange]:
    for name, before in old["streams"].items():
        after = new["streams"].get(name)
        readers = f"everybody who has a consumer on {name}"
        if after is None:
            yield BreakingChange(f"stream {name}", "was removed", readers)
            continue
        for field in ("subject", "work_queue"):
            if before[field] != after[field]:
                change = f"{field} is {after[field]!r}, not {before[field]!r}"
                yield BreakingChange(f"stream {name}", change, readers)
        if min(_age_s_max(after), _promise_s(after)) < _promise_s(before):
            kept_s = min(_age_s_max(after), _promise_s(after))
            change = f"keeps its messages for {kept_s:.0f} s, no longer"
            yield BreakingChange(
                f"stream {name}", change, f"{readers} and catches up from its beginning"
            )


def _age_s_max(stream: Json) -> float:
    return float(stream["max_age"] or "inf")


def _promise_s(stream: Json) -> float:
    """How long readers may rely on a message: by default for as long as it is kept."""
    promise = stream["kept_at_least"]
    return _age_s_max(stream) if promise is None else float(promise)


def _known_values(old: Json, new: Json) -> Iterator[BreakingChange]:
    """Older messages hold them, and readers wait for them."""
    for name, before in old["known_values"].items():
        for value in before:
            if value not in new["known_values"].get(name, ()):
                yield BreakingChange(f"known values of {name}", f"{value!r} was removed", EVERYBODY)


def _event(name: str, old: Json, new: Json) -> Iterator[BreakingChange]:
    where, before, after = f"event {name}", old["events"][name], new["events"].get(name)
    readers = _readers(before["subject"])
    if after is None:
        yield BreakingChange(where, "was removed", readers)
        return
    for field in ("stream", "subject", "source"):
        if before[field] != after[field]:
            yield BreakingChange(
                where, f"{field} is {after[field]!r}, not {before[field]!r}", readers
            )
    yield from _schema(where, before["schema"], after["schema"], readers)


# decision/0078: an event's next version is told beside it until a day
def _successions(old: Json, new: Json) -> Iterator[BreakingChange]:
    """A version comes beside the one before it, and that stays until the day that was said."""
    before, after = old.get("successions", {}), new["successions"]
    older_of = {each["newer"]: older for older, each in after.items()}
    for name in new["events"]:
        stem, _, version = name.rpartition(".v")
        older = f"{stem}.v{int(version) - 1}"
        if version != "1" and (older_of.get(name) != older or older not in new["events"]):
            readers = _readers(new["events"][name]["subject"])
            yield BreakingChange(f"event {name}", f"comes without {older} beside it", readers)
    for older, promised in before.items():
        ends_on = after.get(older, {}).get("ends_on")
        if ends_on is None or ends_on < promised["ends_on"]:
            readers = _readers(old["events"][older]["subject"])
            change = f"is told until {ends_on}, not until {promised['ends_on']}"
            yield BreakingChange(f"event {older}", change, readers)


def _schema(where: str, old: Json, new: Json, readers: str) -> Iterator[BreakingChange]:
    """Both directions: readers read the new with the old schema, and the old with the new one."""
    for change in schema_changes(old, new):
        if Effect.MORE in change.effect:
            yield BreakingChange(where, str(change), f"{readers}, in what is published from now on")
        else:
            yield BreakingChange(where, str(change), f"{readers}, in what was published before")


def _command(name: str, old: Json, new: Json) -> Iterator[BreakingChange]:
    where, before, after = f"command {name}", old["commands"][name], new["commands"].get(name)
    readers = f"who sends {before['subject']}"
    if after is None:
        yield BreakingChange(where, "was removed", readers)
        return
    if before["subject"] != after["subject"]:
        yield BreakingChange(
            where, f"subject is {after['subject']!r}, not {before['subject']!r}", readers
        )
    for change in schema_changes(before["schema"], after["schema"]):
        if Effect.FEWER in change.effect:
            yield BreakingChange(where, str(change), readers)


# decision/0039: a command says who it is and how long it is meant
def _command_headers(old: Json, new: Json) -> Iterator[BreakingChange]:
    """None before the release that first wrote them down."""
    after = new["command_headers"]
    for change in schema_changes(old.get("command_headers") or after, after):
        if Effect.FEWER in change.effect:
            yield BreakingChange("headers of commands", str(change), "who sends any command")


def _readers(subject: str) -> str:
    known = ", ".join(readers_of(subject)) or "nobody known"
    return f"readers of {subject} ({known})"
