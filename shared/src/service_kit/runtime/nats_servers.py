"""The NATS servers of a service: where they are, who we are to them, and whom we trust."""

from collections.abc import Iterable

from service_kit.runtime.tls import fresh_context


class NatsServers(list[str]):
    """URLs of NATS servers, and the files of our key and of TLS, which hold for all of them."""

    def __init__(
        self,
        urls: Iterable[str],
        *,
        nkey: str = "",
        ca: str = "",
        cert: str = "",
        key: str = "",
    ) -> None:
        """`nkey` is the seed of the user whom the first URL names; the rest is in PEM."""
        super().__init__(urls)
        self.nkey = nkey
        self.tls = fresh_context(ca, cert, key)
