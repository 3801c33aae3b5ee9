"""The settings of query, from its environment."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from service_kit.runtime.settings import (
    AccessSettings,
    Jwks,
    ServiceSettings,
    TlsFile,
    with_scheme,
)
from service_kit.runtime.tls import FreshContext, fresh_context

MONGODB_SCHEMES = ("mongodb", "mongodb+srv")
MongoUrl = Annotated[SecretStr, with_scheme(*MONGODB_SCHEMES)]
MaybeMongoUrl = Annotated[SecretStr, with_scheme(*MONGODB_SCHEMES, is_needed=False)]


class OperatorSettings(ServiceSettings):
    """The stores of query, for what an operator runs."""

    mongodb_url: MongoUrl = Field(
        description="MongoDB replica set, the database's name in its path"
    )
    mongodb_ca: str = Field(
        default="", description="file of the CA that signs MongoDB's certificates; TLS alone then"
    )
    mongodb_cert: TlsFile = Field(default="", description="file of a certificate for MongoDB")
    mongodb_key: TlsFile = Field(default="", description="file of that certificate's key")

    @field_validator("mongodb_ca")
    @classmethod
    def _is_for_hosts(cls, ca: str, known: ValidationInfo) -> str:
        url = known.data.get("mongodb_url")
        if ca and url and url.get_secret_value().startswith("mongodb+srv:"):
            raise ValueError("is for mongodb://; a mongodb+srv:// URL names its files itself")
        return ca

    @property
    def mongodb_tls(self) -> FreshContext | None:
        """TLS with MongoDB; None if none was asked for here."""
        return fresh_context(self.mongodb_ca, self.mongodb_cert, self.mongodb_key)


class Settings(OperatorSettings, AccessSettings):
    """The settings of every service that serves, and those of its own."""

    operator_mongodb_url: MaybeMongoUrl = Field(
        default=SecretStr(""),
        description="the same database with a user that writes, for `/v1/operate`; without it the "
        "service's own user does what is asked for there",
    )

    guest_jwks: Jwks = Field(
        default="",
        description="keys of guests' capabilities, whose private half ordering has: a JWK Set's "
        "file or http(s) URL; without it no guest is let in",
    )
    min_version_wait: float = Field(
        default=5.0, gt=0, le=60, description="seconds that a read with min_version waits at most"
    )
    ready_within: float = Field(
        default=60.0, ge=0, description="seconds that a ready projector is behind at most; 0: any"
    )

    @property
    def operator_mongodb(self) -> str:
        """The URL of the database, and who does what operators ask for."""
        return self.operator_mongodb_url.get_secret_value() or self.mongodb_url.get_secret_value()
