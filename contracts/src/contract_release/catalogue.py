"""The catalogue of events: a page for people, with what can follow each and a full sample."""

import inspect
import json
from collections.abc import Iterator

from comanda_contracts import Event, guest_status, seal
from comanda_contracts.examples import EXAMPLES

from contract_release.asyncapi import EXAMPLE_ID
from contract_release.asyncapi_texts import TITLES
from contract_release.contract import Json, stream_of
from contract_release.moves import (
    ACCESS,
    MENU,
    NOTHING,
    ORDER,
    RESTAURANT,
    TICKET,
    Move,
    following,
)

DRAWN = {"order": ORDER, "ticket": TICKET}
"""What may happen, by the aggregate as its events call it; what has no status is not drawn."""
MOVES = {**DRAWN, "menu": MENU, "restaurant": RESTAURANT, "access": ACCESS}
RESTATED = "restated"

INTRODUCTION = """\
# The catalogue of events

Generated from the models by `make schemas`; what you may rely on is in the [contract](README.md), \
how to read the events safely in [the guide](../docs/subscribing.md). Each event has its subject, \
when it happens, what can be the next of the same aggregate, and a full body. The headers are the \
same for all: `ce-type`, which stands in the heading, `ce-id`, `ce-time` and so on \
([schema](schemas/headers.json)).
"""


def catalogue(contract: Json) -> str:
    """The page, in Markdown."""
    return "\n".join(_paragraphs(contract))


def _paragraphs(contract: Json) -> Iterator[str]:
    yield INTRODUCTION
    for stream, title in TITLES.items():
        events = [each for each in EXAMPLES if stream_of(each) is stream]
        if events:
            yield f"## {title}\n\nStream `{stream.name}`, published by {stream.owner}.\n"
            yield from _diagram(DRAWN.get(_aggregate(events[0]), ()))
            for event in events:
                yield from _event(event, contract["events"][event.TYPE])
    yield "## Status, as guests see it\n"
    yield "`guest_status(order, tickets)` of `comanda_contracts.guest_status`:\n"
    yield inspect.cleandoc(guest_status.guest_status.__doc__ or "") + "\n"


def _aggregate(event: Event) -> str:
    """What the event is about: the second word of its type."""
    return event.TYPE.split(".")[1]


def _diagram(moves: tuple[Move, ...]) -> Iterator[str]:
    if moves:
        arrows = [
            f"    {_state(move.before)} --> {_state(move.after)}: {move.event}" for move in moves
        ]
        yield "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```", ""])
        yield f"After the streams lost messages `{RESTATED}` may come at any place.\n"
        yield "What came before `forgotten` is erased.\n"


def _state(status: str) -> str:
    return "[*]" if status == NOTHING else status


def _event(event: Event, described: Json) -> Iterator[str]:
    yield f"### `{event.TYPE}`\n"
    yield " ".join(described["schema"]["description"].split()) + "\n"
    yield f"- Subject: `{described['subject']}`, here `{event.subject}`"
    yield f"- What can follow: {_followers(MOVES[_aggregate(event)], event.name)}"
    yield f"- [Schema](schemas/{event.TYPE}.json)\n"
    body = json.loads(seal(event, event_id=EXAMPLE_ID).body)
    yield f"```json\n{json.dumps(body, indent=2, ensure_ascii=False)}\n```\n"


def _followers(moves: tuple[Move, ...], name: str) -> str:
    if name == RESTATED:
        return "whatever its status allows"
    return ", ".join(f"`{each}`" for each in following(moves, name)) or "nothing: it is over"
