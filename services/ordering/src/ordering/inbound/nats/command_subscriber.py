"""Commands over NATS, for tills that speak no HTTP: the same use cases from a work queue.

A command is a message on `commands.v1.<restaurant>.<command>` whose body is that of the HTTP route,
with `order_id` and `expected_version` in it where the route has them in its path and `If-Match`.
Header `Nats-Msg-Id` names the request: sent again, it has no second effect. `Comanda-Reply-To`
names the subject of the answer, below `replies.v1.` or an inbox; it is that of HTTP: the order, or
problem details; its header `Comanda-Status` holds the status. `Comanda-Actor` says who asks.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from comanda_contracts import Message, Unreadable, subjects
from comanda_contracts.commands import COMMAND_BODIES, OrderCommand
from comanda_contracts.streams import COMMANDS
from comanda_contracts.subjects import SLUG_PATTERN
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from pydantic import ValidationError
from service_kit.http.problems import ProblemError, invalid_request
from service_kit.nats.batches import each_by_itself
from service_kit.nats.jetstream import publish
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received
from service_kit.runtime.tracing import traced

from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_order import CloseOrder, close_order
from ordering.application.keyed_request import KeyedRequest
from ordering.application.place_order import PlaceOrder, place_order
from ordering.domain.refusals import Refusal
from ordering.inbound.bodies import ACTOR_PATTERN, party, requested_lines, rounds_to_cancel
from ordering.inbound.change import Change, Store, carry_out
from ordering.inbound.nats.failures import FAILURES
from ordering.inbound.refusals import to_problem

ACCEPTED, CREATED, OK, INVALID = 202, 201, 200, 422

REPLY_PATTERN = r"(replies\.v1|_INBOX[A-Za-z0-9_-]*)(\.[A-Za-z0-9_-]+)+"
"""The subjects to which an answer may go: ordering may publish events, its clients may not."""

REPLY_CHARACTERS_MAX = 255
ID_PATTERN = r"[!-~]{1,128}"
"""The ids of messages that are kept as they are; of another a digest is."""
FAULTS_MAX = 50
"""Faults of a body that are listed: an answer has to fit into a message."""


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command as it came: its name, its restaurant, its body as JSON, its sender."""

    restaurant: str
    name: str
    body: dict[str, Any]
    actor: str | None
    reply_to: str | None


def command_router(
    store: Store,
    client: Callable[[], Awaitable[Client]],
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> Router:
    """The subscriber that carries commands out; `client` is the connection that answers go by."""
    router = Router(FAILURES)

    async def on_command(received: Received[CommandMessage]) -> None:
        with traced(received.message.headers):
            status, content_type, body = await _answer(received, store, clock, new_id)
        if reply_to := received.event.reply_to:
            await _reply(await client(), reply_to, status, content_type, body)
        await received.message.ack()

    @router.batch_subscriber(
        COMMANDS, durable="ordering", filter_subjects=[COMMANDS.subject], reader=read_command
    )
    async def on_commands(batch: list[Received[CommandMessage]]) -> None:
        """Carry commands out, and answer them.

        Safe to repeat; a command that could not be stored is not settled, and comes again.
        """
        await each_by_itself(on_command, batch)

    return router


def read_command(message: Msg) -> CommandMessage:
    """The command in a message. Raises Unreadable if it is none, or its body no JSON object."""
    restaurant, command = subjects.parse_command(message.subject)
    if command not in COMMAND_BODIES:
        raise Unreadable(f"{command!r} is not a command")
    if not re.fullmatch(SLUG_PATTERN, restaurant):
        raise Unreadable(f"{restaurant!r} is not the slug of a restaurant")
    actor = (message.headers or {}).get("Comanda-Actor")
    if actor is not None and not re.fullmatch(ACTOR_PATTERN, actor):
        raise Unreadable("header Comanda-Actor is not a name")
    reply_to = (message.headers or {}).get("Comanda-Reply-To")
    if reply_to is not None and (
        len(reply_to) > REPLY_CHARACTERS_MAX or not re.fullmatch(REPLY_PATTERN, reply_to)
    ):
        raise Unreadable("header Comanda-Reply-To is not below replies.v1. or an inbox")
    try:
        body = json.loads(message.data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"body: not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Unreadable("body: not a JSON object")
    return CommandMessage(restaurant, command, body, actor, reply_to)


async def _answer(
    received: Received[CommandMessage],
    store: Store,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> tuple[int, str, str]:
    """Status, content type and body of the answer. Raises StoreUnavailable."""
    command = received.event
    try:
        body = COMMAND_BODIES[command.name].validate_json(received.message.data)
        status, change = bind_use_case(command, body, clock=clock, new_id=new_id)
        answer = await carry_out(store, _keyed_request(received), status, change)
    except ValidationError as error:
        faults = error.errors()[:FAULTS_MAX]
        problems = [{**each, "loc": ("body", *each["loc"])} for each in faults]
        return _problem(invalid_request(problems, command.body))
    except Refusal as refusal:
        return _problem(to_problem(refusal))
    return answer.status, "application/json", answer.body


async def _reply(client: Client, reply_to: str, status: int, content_type: str, body: str) -> None:
    """Send the answer; one that no message could hold, such as a list of faults, in short."""
    headers = {"Comanda-Status": str(status), "content-type": content_type}
    try:
        await publish(client, Message(reply_to, headers, body.encode()))
    except MaxPayloadError:
        code = "invalid-request" if status == INVALID else "answer-too-large"
        status, content_type, body = _problem(
            ProblemError(status, code, "The answer is too large for a message.")
        )
        headers = {"Comanda-Status": str(status), "content-type": content_type}
        await publish(client, Message(reply_to, headers, body.encode()))


def _problem(problem: ProblemError) -> tuple[int, str, str]:
    return problem.status, "application/problem+json", json.dumps(problem.details())


def bind_use_case(
    command: CommandMessage,
    body: Any,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> tuple[int, Change]:
    """The use case of a command, and the status that it is answered with."""
    match command.name:
        case "place-order":
            place = PlaceOrder(
                order_id=new_id(),
                restaurant=command.restaurant,
                party=party(body),
                requested_lines=requested_lines(body),
                actor=command.actor,
            )
            return CREATED, lambda tx: place_order(place, transaction=tx, at=clock())
        case "add-items":
            lines = requested_lines(body)
            add = AddItems(requested_lines=lines, **_of_order_command(command, body))
            return CREATED, lambda tx: add_items(add, transaction=tx, at=clock())
        case "cancel-order":
            rounds = rounds_to_cancel(body)
            to_order = _of_order_command(command, body)
            cancel = CancelOrder(reason=body.reason, rounds=rounds, **to_order)
            return ACCEPTED, lambda tx: cancel_order(cancel, transaction=tx, at=clock())
        case "close-order":
            close = CloseOrder(**_of_order_command(command, body))
            return OK, lambda tx: close_order(close, transaction=tx, at=clock())
        case name:
            raise NotImplementedError(f"command {name!r} has a body and no use case")


def _of_order_command(command: CommandMessage, body: OrderCommand) -> dict[str, Any]:
    """The values that every command to an order has."""
    return {
        "order_id": body.order_id,
        "restaurant": command.restaurant,
        "expected_version": body.expected_version,
        "actor": command.actor,
    }


def _keyed_request(received: Received[CommandMessage]) -> KeyedRequest:
    """The request by its message id; a message without one is at least redelivered as itself."""
    message = received.message
    name = (message.headers or {}).get("Nats-Msg-Id")
    if name is None:
        name = f"sequence-{message.metadata.sequence.stream}"
    if not re.fullmatch(ID_PATTERN, name):
        name = f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"
    whole = message.subject.encode() + b"\n" + message.data
    fingerprint = hashlib.sha256(whole).hexdigest()
    return KeyedRequest(received.event.restaurant, f"message/{name}", fingerprint)
