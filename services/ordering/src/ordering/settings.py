"""Ordering's settings, from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from service_kit.access.guests import GuestSigner
from service_kit.runtime.settings import PREFIX, AccessSettings, ServiceSettings, with_scheme


def _with_key(file: str) -> str:
    """The file's path, once it is seen to have a key. Raises GuestKeyUnusable, a ValueError."""
    if file:
        GuestSigner.from_file(Path(file))
    return file


GuestKeyFile = Annotated[str, AfterValidator(_with_key)]
DatabaseUrl = Annotated[SecretStr, with_scheme("postgresql+asyncpg")]


class DatabaseSettings(BaseSettings):
    """The database that keeps ordering's state."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: DatabaseUrl = Field(description="PostgreSQL, as postgresql+asyncpg://…")


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
