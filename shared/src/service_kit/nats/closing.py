"""How a client's connection ends: what nats-py 2.16 and uvloop leave open, if a server is lost."""

import asyncio
import contextlib

from nats.aio.client import Client

CLOSE_TIMEOUT_S = 2.0
"""Seconds that a server has to take what is still to be sent."""


def why_given_up(client: Client) -> str | None:
    """Why the client will not connect again by itself; None as long as it is connected or tries to.

    It closes for good on some errors that a server reports. And its reconnecting ends without a
    word if a server resets the new connection at once: where asyncio raises an OSError then,
    uvloop raises a RuntimeError.
    """
    reconnecting = client._reconnection_task
    if not client.is_closed and (client.is_connected or _is_running(reconnecting)):
        return None
    error: BaseException | None = client.last_error
    if reconnecting and not reconnecting.cancelled() and not _is_running(reconnecting):
        error = reconnecting.exception() or error
    return f"{type(error).__name__}: {error}" if error else "closed"


def abort_if_closing(client: Client) -> None:
    """Have a client that leaves a connection connect anew at once.

    By itself it waits until everything is sent that was still to be sent. If nobody takes that,
    because the network is cut or the server has stopped, it waits for a quarter of an hour.
    """
    writer = _writer(client)
    if client.is_reconnecting and writer and writer.is_closing():
        writer.transport.abort()


async def close(client: Client) -> None:
    """Close the connection, whatever state it is in, within `CLOSE_TIMEOUT_S` and a moment.

    In a task of its own: a client that is just reconnecting cancels what it waits for itself then,
    which whoever closes it would take for its own cancellation, and end for good.
    """
    if not client.is_connected:
        client._pending, client._pending_data_size = [], 0  # it has nowhere to go
    closing = asyncio.create_task(client.close())
    await asyncio.wait([closing], timeout=CLOSE_TIMEOUT_S)
    if not closing.done() and (writer := _writer(client)):
        writer.transport.abort()
    await asyncio.wait([closing])
    if not closing.cancelled():
        with contextlib.suppress(OSError, RuntimeError):  # uvloop's, of a connection that is gone
            closing.result()


def _is_running(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


def _writer(client: Client) -> asyncio.StreamWriter | None:
    """What the client writes to; None if it never connected, or does so over WebSocket."""
    return getattr(client._transport, "_io_writer", None)
