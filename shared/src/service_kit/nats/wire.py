"""Decoding what anybody may have sent: bytes that are no text spoil a message, not a connection."""

from functools import lru_cache

from nats.aio.client import Client
from nats.aio.msg import Msg

HEADER_LINE = b"NATS/1.0\r\n"
"""What a header block begins with that has no status of the server's."""
BLANKS = " \t\n\r\v\f"
"""Around a name or a value they are no part of it."""
CACHED_NAMES_MAX, CACHED_NAME_LETTERS_MAX = 256, 64
"""Of headers' names that were looked at: there are few, and each message has ten of them."""


def parse_headers(block: bytes) -> dict[str, str]:
    """The headers in the lines of a block, as nats-py 2.16 reads them, in half the time.

    nats-py looks at each letter of each name, which was a tenth of what the projector did.
    """
    try:
        text = str(block, "ascii")
    except UnicodeDecodeError:
        return Client._parse_header_lines(block)
    headers = {}
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            known = _cached_name if len(name) <= CACHED_NAME_LETTERS_MAX else _name
            if (key := known(name)) is not None:
                headers[key] = value.strip(BLANKS)
    return headers


def _name(text: str) -> str | None:
    """The name of a header; None if it is none, and its line is to be passed over."""
    name = text.strip(BLANKS)
    return None if any(letter.isspace() for letter in name) else name


_cached_name = lru_cache(CACHED_NAMES_MAX)(_name)


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

    async def process(headers: bytes | None) -> dict[str, str] | None:
        if headers and headers.startswith(HEADER_LINE):
            return parse_headers(headers[len(HEADER_LINE) :]) or None
        try:
            return await process_headers(headers)
        except UnicodeDecodeError:
            return None

    client._build_message = build  # type: ignore[method-assign]
    client._process_headers = process  # type: ignore[method-assign]
    return client
