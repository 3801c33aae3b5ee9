"""How these programs are let in: by the key in NATS_NKEY, or by the password in NATS_URL.

With NATS_CA they speak TLS alone, with a server whose certificate that CA has signed.
"""

import os
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

from faststream.nats import NatsNKey, NatsSecurity, NatsUserPassword

URL = urlsplit(os.environ["NATS_URL"])
"""nats://host:port, or nats://team:password@host:port with both percent-encoded."""
SERVER = f"{URL.scheme}://{URL.netloc.rpartition('@')[2]}"
"""Without the user: what is encoded in a URL clients send as it is."""
NKEY = os.environ.get("NATS_NKEY")
"""File with the seed of our key."""
CA = os.environ.get("NATS_CA")
"""File with the certificate of the CA."""


def login() -> dict[str, Any]:
    """What `nats.connect` is told beside the server."""
    tls = {"tls": _context(), "tls_handshake_first": True} if CA else {}
    if NKEY:
        return {"nkeys_seed": NKEY, **tls}
    if URL.username and URL.password:
        return {"user": unquote(URL.username), "password": unquote(URL.password), **tls}
    return tls


def security() -> NatsSecurity:
    """The same for FastStream's broker."""
    tls: dict[str, Any] = {"ssl_context": _context(), "tls_handshake_first": True} if CA else {}
    if NKEY:
        return NatsNKey.from_file(NKEY, **tls)
    if URL.username and URL.password:
        return NatsUserPassword(unquote(URL.username), unquote(URL.password), **tls)
    return NatsSecurity(**tls)


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CA)
