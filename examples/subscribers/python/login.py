"""How these programs are let in: by the key in NATS_NKEY, or by the password in NATS_URL."""

import os
from urllib.parse import unquote, urlsplit

from faststream.nats import NatsNKey
from faststream.security import BaseSecurity, SASLPlaintext

URL = urlsplit(os.environ["NATS_URL"])
"""nats://host:port, or nats://team:password@host:port with both percent-encoded."""
SERVER = f"{URL.scheme}://{URL.netloc.rpartition('@')[2]}"
"""Without the user: what is encoded in a URL clients send as it is."""
NKEY = os.environ.get("NATS_NKEY")
"""File with the seed of our key."""


def login() -> dict[str, str]:
    """What `nats.connect` is told beside the server."""
    if NKEY:
        return {"nkeys_seed": NKEY}
    if URL.username and URL.password:
        return {"user": unquote(URL.username), "password": unquote(URL.password)}
    return {}


def security() -> BaseSecurity | None:
    """The same for FastStream's broker."""
    if NKEY:
        return NatsNKey.from_file(NKEY)
    told = login()
    return SASLPlaintext(told["user"], told["password"]) if told else None
