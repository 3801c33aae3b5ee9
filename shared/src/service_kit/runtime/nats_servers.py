"""The NATS servers of a service: where they are, who we are to them, and whom we trust."""

from collections.abc import Iterable

from service_kit.runtime.tls import fresh_context


class NatsServers(list[str]):
    """URLs of NATS servers, our key and the files of TLS, which hold for all of them."""

    def __init__(
        self,
        urls: Iterable[str],
        *,
        nkey: str = "",
        seed: str = "",
        ca: str = "",
        cert: str = "",
        key: str = "",
    ) -> None:
        """`seed` is that of the user whom the first URL names, `nkey` a file with it.

        The rest are files in PEM.
        """
        super().__init__(urls)
        self.nkey = nkey
        self.seed = seed
        self.tls = fresh_context(ca, cert, key)
