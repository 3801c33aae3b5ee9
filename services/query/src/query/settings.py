"""The settings of query, from its environment."""

from typing import Annotated

from pydantic import Field, SecretStr
from service_kit.runtime.settings import AccessSettings, Jwks, ServiceSettings, with_scheme

MongoUrl = Annotated[SecretStr, with_scheme("mongodb", "mongodb+srv")]


class OperatorSettings(ServiceSettings):
    """The stores of query, for what an operator runs."""

    mongodb_url: MongoUrl = Field(
        description="MongoDB replica set, the database's name in its path"
    )


class Settings(OperatorSettings, AccessSettings):
    """The settings of every service that serves, and those of its own."""

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
