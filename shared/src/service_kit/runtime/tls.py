# decision/0060: tls says who the store is
"""TLS as a client: whom we trust, and who we are."""

import os
import ssl
from typing import Any

from typing_extensions import override


class CertificateUnusable(OSError):
    """A file of a CA, a certificate or a key can't be read or used; the text names it and why."""


class FreshContext(ssl.SSLContext):
    """TLS with a server whose certificate this CA has signed for its name.

    The files are read anew for each connection, so that a certificate is changed without a restart.
    A connection raises CertificateUnusable if one of them is missing or is not what it should be.
    """

    _files: tuple[str, str, str]

    def __new__(cls, ca: str, cert: str = "", key: str = "") -> "FreshContext":
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._files = (ca, cert, key)
        return context

    def __init__(self, *_: object) -> None: ...

    @override
    def wrap_bio(self, *bios: Any, **more: Any) -> ssl.SSLObject:
        return self._read().wrap_bio(*bios, **more)

    def _read(self) -> ssl.SSLContext:
        ca, cert, key = self._files
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise _unusable(error, ca) from error
        if cert:
            try:
                # a key that wants a password is refused, rather than ask for it at a terminal
                context.load_cert_chain(cert, key or None, password="")
            except OSError as error:
                raise _unusable(error, *filter(None, (cert, key))) from error
        return context


def fresh_context(ca: str, cert: str, key: str) -> FreshContext | None:
    """TLS by these files, each in PEM; None without a CA, which stands for no TLS of ours."""
    return FreshContext(ca, cert, key) if ca else None


def _unusable(error: OSError, *files: str) -> CertificateUnusable:
    """OpenSSL names no file, and the system's error none of two."""
    missing = [file for file in files if not os.access(file, os.R_OK)]
    reason = "can't be read" if missing else f"can't be used ({error.strerror or error})"
    return CertificateUnusable(f"{' and '.join(missing or files)} {reason}")
