"""Commands over NATS, for tills that speak no HTTP: the same use cases from a work queue.

A command is a message on `commands.v1.<restaurant>.<command>` whose body is that of the HTTP route,
with `order_id` and `expected_version` in it where the route has them in its path and `If-Match`;
its headers are those of `command_message.py`. The answer is that of HTTP: the order, or problem
details; its header `Comanda-Status` holds the status, and `Request-Id` is repeated.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from comanda_contracts import Message
from comanda_contracts.commands import COMMAND_BODIES, OrderCommand
from comanda_contracts.streams import COMMANDS
from nats.aio.client import Client
from nats.errors import MaxPayloadError
from pydantic import ValidationError
from service_kit.access.guests import GUEST_TOKEN_HEADER, GuestSigner
from service_kit.access.invalid_token import InvalidToken
from service_kit.access.principal import Forbidden
from service_kit.access.rates import TooManyRequests
from service_kit.http.guard import to_problem as access_problem
from service_kit.http.problems import ProblemError, invalid_header, invalid_request
from service_kit.nats.jetstream import publish
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received
from service_kit.runtime.tracing import traced

from ordering.application.add_items import AddItems, add_items
from ordering.application.cancel_order import CancelOrder, cancel_order
from ordering.application.close_order import CloseOrder, close_order
from ordering.application.keyed_request import Answer
from ordering.application.place_order import PlaceOrder, place_order
from ordering.application.transaction import Transaction
from ordering.domain.refusals import CommandExpired, Refusal
from ordering.inbound.bodies import party, requested_lines, rounds_to_cancel
from ordering.inbound.change import Change, State, Store, carry_out
from ordering.inbound.nats.command_message import CommandMessage, read_command
from ordering.inbound.nats.failures import FAILURES, beside
from ordering.inbound.nats.sender import Identify
from ordering.inbound.refusals import to_problem

ACCEPTED, CREATED, OK, INVALID = 202, 201, 200, 422

RETRY_AFTER = "Retry-After"
"""The header of an answer that says after how many seconds to ask again."""

FAULTS_MAX = 50
"""Faults of a body that are listed: an answer has to fit into a message."""


# decision/0056: a command over NATS is answered as a request over HTTP
class Reply(NamedTuple):
    """What a command is answered with: as over HTTP."""

    status: int
    content_type: str
    body: str
    headers: Mapping[str, str] = {}


def command_router(
    store: Store,
    client: Callable[[], Awaitable[Client]],
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    identify: Identify,
    guests: GuestSigner | None = None,
) -> Router:
    """The subscriber that carries commands out; `client` is the connection that answers go by.

    With `guests` the answer to a placed order carries its guest's capability, as over HTTP.
    """
    router, others = Router(FAILURES), beside(store)

    async def on_command(received: Received[CommandMessage]) -> None:
        with traced(received.message.headers):
            reply = await _answer(received, store, clock, new_id, identify, guests)
        if reply_to := received.event.reply_to:
            await _send(await client(), reply_to, received.event, reply)
        await received.message.ack()

    @router.batch_subscriber(
        COMMANDS, durable="ordering", filter_subjects=[COMMANDS.subject], reader=read_command
    )
    async def on_commands(batch: list[Received[CommandMessage]]) -> None:
        """Carry commands out, and answer them.

        Safe to repeat; a command that could not be stored is not settled, and comes again.
        """
        await others.handle(on_command, batch, lambda each: each.restaurant)

    return router


async def _answer(
    received: Received[CommandMessage],
    store: Store,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    identify: Identify,
    guests: GuestSigner | None,
) -> Reply:
    """The answer. Raises StoreUnavailable, KeysUnavailable, NotReplayable."""
    try:
        command = await identify(received)
    except (InvalidToken, Forbidden, TooManyRequests) as refusal:
        return _problem(access_problem(refusal))
    if command.faults:
        return _problem(invalid_header(command.faults))
    try:
        body = COMMAND_BODIES[command.name].validate_json(received.message.data)
        status, change = bind_use_case(command, body, clock=clock, new_id=new_id)
        in_time = _unless_expired(command, change, clock)
        answer = await carry_out(
            store, command.restaurant, command.request, status, in_time, comes_again=True
        )
    except ValidationError as error:
        faults = error.errors()[:FAULTS_MAX]
        problems = [{**each, "loc": ("body", *each["loc"])} for each in faults]
        return _problem(invalid_request(problems, command.body))
    except Refusal as refusal:
        return _problem(to_problem(refusal, key="Comanda-Request-Id"))
    repeated = {"Idempotent-Replayed": "true"} if answer.is_repeated else {}
    headers = {**repeated, **_for_guest(command, answer, guests)}
    return Reply(answer.status, "application/json", answer.body, headers)


# decision/0051: a guest holds a capability for his order
def _for_guest(
    command: CommandMessage, answer: Answer, guests: GuestSigner | None
) -> Mapping[str, str]:
    """The header with the capability of the guest whose order was placed, which is kept nowhere."""
    if guests is None or command.name != "place-order" or answer.location is None:
        return {}
    order_id = answer.location.rpartition("/")[2]
    return {GUEST_TOKEN_HEADER: guests.token(command.restaurant, order_id)}


async def _send(client: Client, reply_to: str, command: CommandMessage, reply: Reply) -> None:
    """Send the answer; one that no message could hold, such as a list of faults, in short."""
    try:
        await publish(client, _message(reply_to, command, reply))
    except MaxPayloadError:
        code = "invalid-request" if reply.status == INVALID else "answer-too-large"
        short = ProblemError(reply.status, code, "The answer is too large for a message.")
        await publish(client, _message(reply_to, command, _problem(short)))


def _message(reply_to: str, command: CommandMessage, reply: Reply) -> Message:
    repeated = {"Request-Id": command.correlation_id} if command.correlation_id else {}
    about = {"Comanda-Status": str(reply.status), "content-type": reply.content_type}
    return Message(reply_to, {**repeated, **about, **reply.headers}, reply.body.encode())


# decision/0039: a command says who it is and how long it is meant
def _unless_expired(
    command: CommandMessage, change: Change, clock: Callable[[], datetime]
) -> Change:
    """The change, refused once its time is over.

    What was carried out before is answered again, however late that is: it is not changed anew.
    """

    async def in_time(transaction: Transaction) -> State:
        if command.expires_at is not None and clock() >= command.expires_at:
            raise CommandExpired(command.expires_at)
        return await change(transaction)

    return in_time


def _problem(problem: ProblemError) -> Reply:
    headers = problem.headers or {}
    when = {name: headers[name] for name in (RETRY_AFTER,) if name in headers}
    body = json.dumps(problem.traced_details())
    return Reply(problem.status, "application/problem+json", body, when)


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
                by=command.by,
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
        "by": command.by,
    }
