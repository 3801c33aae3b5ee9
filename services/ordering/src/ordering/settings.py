"""Ordering's settings, from the environment."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from service_kit.runtime.settings import PREFIX, AccessSettings, ServiceSettings, with_scheme

DatabaseUrl = Annotated[SecretStr, with_scheme("postgresql+asyncpg")]


class DatabaseSettings(BaseSettings):
    """The database that keeps ordering's state."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: DatabaseUrl = Field(description="PostgreSQL, as postgresql+asyncpg://…")


class OperatorSettings(ServiceSettings, DatabaseSettings):
    """The stores of ordering, for what an operator runs."""


class Settings(OperatorSettings, AccessSettings):
    """All that ordering needs to run."""

    outbox_within: float = Field(
        default=600,
        gt=0,
        description="seconds that an order's event may wait to be published until ordering is not "
        "ready",
    )
