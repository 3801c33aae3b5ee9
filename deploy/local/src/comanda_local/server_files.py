"""Files beside a server's URL in the environment: those of TLS with it, and of our key for NATS."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
from nats.aio.client import Client

URL_SUFFIX = "_URL"
KINDS = ("CA", "CERT", "KEY", "NKEY")


def files_beside(url_variable: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of files that belong to the server of this URL, those that are set."""
    names = (f"{url_variable.removesuffix(URL_SUFFIX)}_{kind}" for kind in KINDS)
    return {name: environment[name] for name in names if environment.get(name)}


def tls(url_variable: str, files: Mapping[str, str]) -> ssl.SSLContext | None:
    """TLS with the server of this URL, whose name is verified; None without a CA."""
    ca, cert, key, _ = (
        files.get(f"{url_variable.removesuffix(URL_SUFFIX)}_{kind}") for kind in KINDS
    )
    if not ca:
        return None
    context = ssl.create_default_context(cafile=ca)
    if cert:
        context.load_cert_chain(cert, key, password="")
    return context


async def connect_nats(url: str, files: Mapping[str, str], **more: Any) -> Client:
    """Connect to the NATS servers of the URL, as the user of the first, with the files' TLS.

    Raises what `nats.connect` raises, and OSError if a file can't be used.
    """
    servers = url.split(",")
    user = urlsplit(servers[0])
    if user.username and user.password:  # by the URL the client would send what is encoded as it is
        more |= {"user": unquote(user.username), "password": unquote(user.password)}
    if seed := files.get("COMANDA_NATS_NKEY"):
        more["nkeys_seed"] = seed
    if context := tls("COMANDA_NATS_URL", files):
        more |= {"tls": context, "tls_handshake_first": True}
    return await nats.connect(servers, **more)
