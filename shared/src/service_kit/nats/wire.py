"""Decoding what anybody may have sent: bytes that are no text spoil a message, not a connection."""

from nats.aio.client import Client
from nats.aio.msg import Msg


def tolerate_any_bytes(client: Client) -> Client:
    r"""Have the client read on after a subject or a header block that is not UTF-8.

    The server takes any bytes for both. nats-py 2.16 decodes them strictly, in the task that reads
    the connection: that ends without a word, and the process hears nothing any more. Here such a
    subject is told with `\xff` for the byte, and such a header block is none.
    """
    build_message, process_headers = client._build_message, client._process_headers

    def build(
        sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        try:
            message: Msg = build_message(sid, subject, reply, data, headers)
        except UnicodeDecodeError:
            told = bytes(subject).decode(errors="backslashreplace").encode()
            message = build_message(sid, told, reply, data, headers)
        return message

    async def process(headers: bytes) -> dict[str, str] | None:
        try:
            return await process_headers(headers)
        except UnicodeDecodeError:
            return None

    client._build_message = build  # type: ignore[method-assign]
    client._process_headers = process  # type: ignore[method-assign]
    return client
