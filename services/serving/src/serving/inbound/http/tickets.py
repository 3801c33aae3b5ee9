"""Tickets over HTTP: commands in, the changed ticket or a refusal out."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import comanda_contracts as contracts
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import StringConstraints
from service_kit.access.needs import needed_roles, principal_of
from service_kit.access.principal import Forbidden
from service_kit.http.header_values import HeaderText, versions_in, whole_header

from serving.application.change_ticket import ChangedTicket, ChangeTicket, Clock, NewId
from serving.application.mark_ready import mark_ready
from serving.application.recall_ticket import recall_ticket
from serving.application.serve_ticket import serve_ticket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import Tickets
from serving.contract import ticket_to_contract
from serving.domain.ticket import Sender, Ticket, TicketId, UnknownTicket
from serving.inbound.http import needed
from serving.inbound.http.openapi import (
    ACTOR,
    CHANGE_RESPONSES,
    KEY,
    ORDER_ID,
    RECALL_RESPONSES,
    ROUND,
    TICKET_RESPONSES,
)
from serving.inbound.http.problems import refusals_as_problems
from serving.inbound.http.queue import OpenFeed, ReadQueue, Slug, queue_routes

ROUND_MAX = 1_000
"""No order has so many rounds: a greater number is a mistake."""

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"

OrderId = Annotated[UUID, Path(examples=[ORDER_ID])]
RoundNumber = Annotated[int, Path(ge=1, le=ROUND_MAX, examples=[ROUND])]
Actor = Annotated[
    Annotated[HeaderText, StringConstraints(max_length=80, pattern=NO_CONTROL_CHARACTERS)] | None,
    Header(
        alias="Comanda-Actor",
        description="who does it, for the timeline, if it is another than the token's subject; "
        "needs the grant `act-as`",
        examples=[ACTOR],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        description="the version that the change is meant for: an answer's ETag, or several; `*` "
        "stands for whatever there is",
        examples=['"1"'],
    ),
]
RequestKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255)] | None,
    Header(
        alias="Idempotency-Key",
        description="names the request: once carried out, it is answered like the first time; "
        "one that was refused is decided anew",
        examples=[KEY],
    ),
]


async def _ticket_id(restaurant: Slug, order_id: OrderId, round: RoundNumber) -> TicketId:  # noqa: A002 - as in the path
    return TicketId(restaurant, order_id, round)


Id = Annotated[TicketId, Depends(_ticket_id)]


async def _command(
    request: Request,
    ticket_id: Id,
    actor: Actor = None,
    if_match: IfMatch = None,
    request_key: RequestKey = None,
) -> ChangeTicket:
    principal = principal_of(request)
    space = f"client/{principal.key_space}"  # no client names a message, or another's request
    return ChangeTicket(
        ticket_id=ticket_id,
        actor=principal.actor(ticket_id.restaurant, actor),
        by=_sender(request, ticket_id.restaurant),
        expected_version=versions_in(if_match and whole_header(request.headers, "if-match")),
        request_key=f"{space}/{request_key}" if request_key else None,
    )


def _sender(request: Request, restaurant: str) -> Sender:
    """Who sends a request, by the role that let him in."""
    principal = principal_of(request)
    role = principal.role_in(restaurant, needed_roles(request))
    if role is None:
        raise Forbidden
    return Sender(subject=principal.subject, role=role.value, device=principal.device)


Command = Annotated[ChangeTicket, Depends(_command)]


def routes(
    *,
    tickets: Tickets,
    read_queue: ReadQueue,
    open_feed: OpenFeed,
    clock: Clock,
    new_id: NewId,
    recall_grace: timedelta,
) -> APIRouter:
    """The routes of serving."""
    router = APIRouter(
        prefix="/v1/restaurants/{restaurant}",
        dependencies=[needed.KITCHEN],
    )
    router.include_router(queue_routes(read_queue, open_feed))
    ticket = "/orders/{order_id}/rounds/{round}"
    change: dict[str, Any] = {
        "response_model": contracts.Ticket,
        "responses": CHANGE_RESPONSES,
        "tags": ["Tickets"],
    }

    @router.get(
        ticket,
        operation_id="getTicket",
        tags=["Tickets"],
        response_model=contracts.Ticket,
        responses=TICKET_RESPONSES,
    )
    async def get_ticket(ticket_id: Id) -> Response:
        """The ticket as it is."""
        with refusals_as_problems():
            stored = await tickets.load(ticket_id)
            if stored is None:
                raise UnknownTicket(ticket_id)
        return _shown(stored.ticket)

    @router.post(f"{ticket}/start", operation_id="startTicket", **change)
    async def post_start(command: Command) -> Response:
        """Begin to make a round that is queued; else 409, with the `ticket` as it is."""
        return await _respond(start_ticket(command, tickets=tickets, clock=clock, new_id=new_id))

    @router.post(f"{ticket}/ready", operation_id="markTicketReady", **change)
    async def post_ready(command: Command) -> Response:
        """Put a round that is queued or being prepared on the pass; else 409, with the `ticket`."""
        return await _respond(mark_ready(command, tickets=tickets, clock=clock, new_id=new_id))

    @router.post(
        f"{ticket}/recall",
        operation_id="recallTicket",
        **(change | {"responses": RECALL_RESPONSES}),
    )
    async def post_recall(command: Command) -> Response:
        """Take a round back: from the pass to work on it again, or from the guest to the pass.

        The second for a while after it was served (`COMANDA_RECALL_GRACE_SECONDS`); else 409, with
        the `ticket` as it is.
        """
        return await _respond(
            recall_ticket(command, tickets=tickets, clock=clock, new_id=new_id, grace=recall_grace)
        )

    @router.post(f"{ticket}/serve", operation_id="serveTicket", **change)
    async def post_serve(command: Command) -> Response:
        """Carry a round that is ready to the guest; else 409, with the `ticket` as it is."""
        return await _respond(serve_ticket(command, tickets=tickets, clock=clock, new_id=new_id))

    return router


async def _respond(change: Awaitable[ChangedTicket]) -> Response:
    """Respond with the ticket after the change. Raises ProblemError."""
    with refusals_as_problems():
        changed = await change
    response = _shown(changed.ticket)
    if changed.is_repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _shown(ticket: Ticket) -> Response:
    """The ticket as JSON, and its version as ETag."""
    content = ticket_to_contract(ticket).model_dump_json()
    headers = {"ETag": f'"{ticket.version}"'}
    return Response(content, headers=headers, media_type="application/json")
