"""TLS as a client: whom we trust, and who we are."""

import ssl
from typing import Any

from typing_extensions import override


class FreshContext(ssl.SSLContext):
    """TLS with a server whose certificate this CA has signed for its name.

    The files are read anew for each connection, so that a certificate is changed without a restart.
    """

    _files: tuple[str, str, str]

    def __new__(cls, ca: str, cert: str = "", key: str = "") -> "FreshContext":
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._files = (ca, cert, key)
        return context

    def __init__(self, *_: object) -> None: ...

    @override
    def wrap_bio(self, *bios: Any, **more: Any) -> ssl.SSLObject:
        ca, cert, key = self._files
        context = ssl.create_default_context(cafile=ca)
        if cert:
            context.load_cert_chain(cert, key or None)
        return context.wrap_bio(*bios, **more)
