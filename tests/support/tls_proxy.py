"""PostgreSQL behind TLS: the embedded one is built without it, so this speaks it in its place."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from comanda_local.ports import LOOPBACK

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CHUNK_BYTES = 64 * 1024


@contextlib.asynccontextmanager
async def postgres_behind_tls(
    socket_folder: str, *, cert: Path, key: Path, client_ca: Path
) -> AsyncIterator[int]:
    """The port where a client with a certificate of `client_ca` reaches PostgreSQL's socket.

    Who does not begin with an SSLRequest is let in no further, as by `hostssl` alone.
    """
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(cert, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(tls)
                socket = await asyncio.open_unix_connection(f"{socket_folder}/.s.PGSQL.5432")
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pass_on(reader, socket[1]))
                    tasks.create_task(_pass_on(socket[0], writer))
        writer.close()

    async with serving(serve) as port:
        yield port


@contextlib.asynccontextmanager
async def postgres_without_tls() -> AsyncIterator[int]:
    """The port of a server that answers an SSLRequest as PostgreSQL without TLS does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(len(SSL_REQUEST))
            writer.write(b"N")
            assert await reader.read() == b"", "something was said in the clear"
        writer.close()

    async with serving(serve) as port:
        yield port


@contextlib.asynccontextmanager
async def serving(serve: object) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, LOOPBACK, 0)  # type: ignore[arg-type]
    async with server:
        yield server.sockets[0].getsockname()[1]
        server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(CHUNK_BYTES):
            writer.write(some)
            await writer.drain()
    writer.close()
