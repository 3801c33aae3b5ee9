"""Withdrawing access over HTTP."""

from collections.abc import Callable
from datetime import datetime

import comanda_contracts as contracts
from fastapi import APIRouter, Response

from ordering.application.withdraw_access import WithdrawAccess, withdraw_access
from ordering.inbound import needed
from ordering.inbound.change import Store
from ordering.inbound.http.openapi import ACCESS_RESPONSES
from ordering.inbound.http.parameters import PREFIX, AccessSubject
from ordering.inbound.http.request_context import AccessContext
from ordering.inbound.http.responses import respond


def access_routes(store: Store, clock: Callable[[], datetime]) -> APIRouter:
    """The routes of who is let in."""
    router = APIRouter(prefix=PREFIX, tags=["Restaurants"])

    @router.post(
        "/access/{subject}/withdraw",
        operation_id="withdrawAccess",
        response_model=contracts.Withdrawal,
        responses=ACCESS_RESPONSES,
        dependencies=[needed.WITHDRAWAL],
    )
    async def post_withdraw(context: AccessContext, subject: AccessSubject) -> Response:
        """Let nobody in any more by a token of this subject that was issued so far.

        Whoever gets a new token afterwards is let in by it: take the role away at the issuer first.
        """
        command = WithdrawAccess(
            restaurant=context.restaurant,
            subject_hash=subject,
            expected_version=context.expected_version,
            actor=context.actor,
            by=context.by,
        )
        return await respond(
            store, context, None, lambda tx: withdraw_access(command, transaction=tx, at=clock())
        )

    return router
