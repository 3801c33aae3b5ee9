"""The settings of query, from its environment."""

from typing import Annotated

from pydantic import Field, SecretStr
from service_kit.runtime.settings import ServiceSettings, with_scheme

MongoUrl = Annotated[SecretStr, with_scheme("mongodb", "mongodb+srv")]


class Settings(ServiceSettings):
    """The settings of every service, and those of its own."""

    mongodb_url: MongoUrl = Field(
        description="MongoDB replica set, the database's name in its path"
    )
    min_version_wait: float = Field(
        default=5.0, gt=0, le=60, description="seconds that a read with min_version waits at most"
    )
    ready_within: float = Field(
        default=60.0, ge=0, description="seconds that a ready projector is behind at most; 0: any"
    )
