"""The broker's connection to NATS, for what FastStream has no word for."""

import asyncio

from faststream.exceptions import IncorrectState
from nats.aio.client import Client
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import RECONNECT_INTERVAL_S
from service_kit.runtime.components import Ready, WaitingFor

from serving.application.tickets import StoreUnavailable


def connected_client(broker: Broker) -> Client:
    """The connection. Raises StoreUnavailable while there is no server at the other end."""
    try:
        client = broker.connection
    except IncorrectState as error:
        raise StoreUnavailable("not connected to NATS") from error
    if not client.is_connected:
        raise StoreUnavailable("not connected to NATS")
    return client


async def until_connected(broker: Broker, ready: Ready) -> Client:
    """The connection, as soon as there is a server at the other end. The wait is reported."""
    while True:
        try:
            return connected_client(broker)
        except StoreUnavailable:
            ready(failing=str(WaitingFor("NATS")))
        await asyncio.sleep(RECONNECT_INTERVAL_S)
