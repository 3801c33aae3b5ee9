"""Business days over HTTP."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Response

from ordering.application.close_day import CloseDay, close_day
from ordering.contract import DayClosingState
from ordering.inbound import needed
from ordering.inbound.bodies import DayClosingBody
from ordering.inbound.change import Store
from ordering.inbound.http.openapi import DAY_CLOSING_RESPONSES
from ordering.inbound.http.parameters import PREFIX
from ordering.inbound.http.request_context import Context
from ordering.inbound.http.responses import respond


def day_routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of business days."""
    router = APIRouter(prefix=PREFIX, tags=["Restaurants"])

    @router.post(
        "/day/close",
        operation_id="closeDay",
        status_code=202,
        response_model=DayClosingState,
        responses=DAY_CLOSING_RESPONSES,
        dependencies=[needed.DAY_CLOSING],
    )
    async def post_close_day(context: Context, body: DayClosingBody | None = None) -> Response:
        """Close a business day: settle the orders and tickets that were forgotten.

        What the kitchen has not begun is voided, what it has begun is abandoned, and each order is
        closed with the reason, as soon as the kitchen has answered. What is ordered after the
        request is not touched, nor are days after the one that is closed.
        """
        command = CloseDay(
            restaurant=context.restaurant,
            business_day=body.business_day if body else None,
            reason=body.reason if body else None,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store,
            context,
            body,
            lambda tx: close_day(command, transaction=tx, at=clock()),
            status=202,
        )

    return router
