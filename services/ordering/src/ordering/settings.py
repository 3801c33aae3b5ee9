"""Ordering's settings, from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from service_kit.access.guests import GuestSigner
from service_kit.runtime.settings import (
    AccessSettings,
    LogSettings,
    ServiceSettings,
    TlsFile,
    with_scheme,
)
from service_kit.runtime.tls import FreshContext, fresh_context

from ordering.domain.order import RECALL_GRACE


def _with_key(file: str) -> str:
    """The file's path, once it is seen to have a key. Raises GuestKeyUnusable, a ValueError."""
    if file:
        GuestSigner.from_file(Path(file))
    return file


GuestKeyFile = Annotated[str, AfterValidator(_with_key)]
DatabaseUrl = Annotated[SecretStr, with_scheme("postgresql+asyncpg")]


def _is_socket(url: str) -> bool:
    """Whether any server of the URL is reached by a socket, as it is if no host is named."""
    parts = urlsplit(url)
    hosts = [parts.hostname or "", *parse_qs(parts.query).get("host", [])]
    named = [host for several in hosts for host in several.split(",") if host]
    return not named or any(host.startswith(("/", "@")) for host in named)


class DatabaseSettings(LogSettings):
    """The database that keeps ordering's state."""

    database_url: DatabaseUrl = Field(description="PostgreSQL, as postgresql+asyncpg://…")
    database_ca: str = Field(
        default="", description="file of the CA that signs PostgreSQL's certificate; TLS alone then"
    )
    database_cert: TlsFile = Field(default="", description="file of a certificate for PostgreSQL")
    database_key: TlsFile = Field(default="", description="file of that certificate's key")

    @field_validator("database_ca")
    @classmethod
    def _is_for_hosts(cls, ca: str, known: ValidationInfo) -> str:
        url = known.data.get("database_url")
        if ca and url and _is_socket(url.get_secret_value()):
            raise ValueError("is for a host, and COMANDA_DATABASE_URL names a socket, without TLS")
        return ca

    @property
    def database_tls(self) -> FreshContext | None:
        """TLS with PostgreSQL; None if none was asked for here."""
        return fresh_context(self.database_ca, self.database_cert, self.database_key)


class OperatorSettings(ServiceSettings, DatabaseSettings):
    """The stores of ordering, for what an operator runs."""


class Settings(OperatorSettings, AccessSettings):
    """All that ordering needs to run."""

    guest_key: GuestKeyFile = Field(
        default="",
        description="file with the private JWK (ES256) that signs guests' capabilities; "
        "without it none are given",
    )
    outbox_within: float = Field(
        default=600,
        gt=0,
        description="seconds that an order's event may wait to be published until ordering is not "
        "ready",
    )
    recall_grace_seconds: float = Field(
        default=RECALL_GRACE.total_seconds(),
        ge=0,
        description="seconds after it was served in which the kitchen may take a round back, and a "
        "takeaway order stays open; as serving's",
    )

    @property
    def recall_grace(self) -> timedelta:
        """How long after it was served the kitchen may take a round back."""
        return timedelta(seconds=self.recall_grace_seconds)
