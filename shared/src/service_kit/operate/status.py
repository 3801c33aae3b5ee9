"""A service's own status for operators: its health, and what waits for it."""

import asyncio
from collections.abc import Callable

import nats.errors
from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS
from fastapi import APIRouter
from nats.js import JetStreamContext

from service_kit.http.problems import ProblemError
from service_kit.http.server import Application
from service_kit.nats.broker import Broker
from service_kit.nats.consumer_lag import look_at
from service_kit.nats.leader import LeaderSilent
from service_kit.nats.subscriber import BatchSubscriber
from service_kit.operate.connection import OperatorConnection
from service_kit.operate.letters import OPERATE_PREFIX, OPERATOR, TAG, named
from service_kit.operate.schema import ConsumerLag, OperateStatus

ANSWER_TIMEOUT_S = 3.0
"""Seconds in which NATS must answer, or what it would have said is not known."""


def status_routes(
    app: Application,
    operator: OperatorConnection,
    broker: Broker,
    subscribers: Callable[[], list[BatchSubscriber]],
) -> APIRouter:
    """The route of the status. Consumers are those of `subscribers`, asked for over `broker`."""
    router = APIRouter(prefix=OPERATE_PREFIX, tags=[TAG], dependencies=[OPERATOR])

    @router.get("/status", operation_id=named("statusOf", operator.service))
    async def get_status() -> OperateStatus:
        """How the service is, how far behind it is, and how many messages it set aside.

        What NATS does not say now is null.
        """
        lags, letters = await asyncio.gather(
            asyncio.gather(*(_lag(broker, each) for each in subscribers())),
            _dead_letters(operator),
        )
        health = app.health()
        return OperateStatus(
            service=operator.service,
            status=health.status,
            components=health.components,
            consumers=list(lags),
            dead_letters=letters,
        )

    return router


async def _lag(broker: Broker, subscriber: BatchSubscriber) -> ConsumerLag:
    stream, durable = subscriber.stream.name, subscriber.durable
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            js = await broker.jetstream_context()
            backlog = await look_at(js, stream, durable)
    except (nats.errors.Error, LeaderSilent, TimeoutError, OSError):
        return ConsumerLag(stream=stream, durable=durable, behind=None, unsettled=None)
    return ConsumerLag(
        stream=stream, durable=durable, behind=backlog.waiting, unsettled=backlog.unsettled
    )


async def _dead_letters(operator: OperatorConnection) -> int | None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S), operator.jetstream() as js:
            return await _count(js, operator.service)
    except (ProblemError, TimeoutError):
        return None


async def _count(js: JetStreamContext, service: str) -> int:
    of_service = subjects.dead_letter(service, "*")
    info = await js.stream_info(DEAD_LETTERS.name, subjects_filter=of_service)
    return sum((info.state.subjects or {}).values())
