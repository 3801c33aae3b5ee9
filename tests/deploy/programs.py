"""What each container of ours runs, and which settings that takes."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from ordering.settings import DatabaseSettings
from ordering.settings import OperatorSettings as OrderingOperatorSettings
from ordering.settings import Settings as OrderingSettings
from pydantic import HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from query.bootstrap import Role
from query.settings import OperatorSettings as QueryOperatorSettings
from query.settings import Settings as QuerySettings
from service_kit.runtime.settings import PREFIX, ServiceSettings
from serving.settings import Settings as ServingSettings

from tests.deploy.manifests import ROOT
from tests.support.admission import guest_keys

SERVICES = ("ordering", "serving", "query")
PAGES = "pages"
"""The pages' host: of ours, and no service."""


class PagesSettings(BaseSettings):
    """What the pages' Caddyfile takes from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    http_host: str = "0.0.0.0"
    http_port: int = 8000
    pages_site: str = "/srv"
    ordering_url: HttpUrl = HttpUrl("http://127.0.0.1:8001")
    serving_url: HttpUrl = HttpUrl("http://127.0.0.1:8002")
    query_url: HttpUrl = HttpUrl("http://127.0.0.1:8003")


PROGRAMS: dict[tuple[str, ...], type[BaseSettings]] = {
    ("ordering",): OrderingSettings,
    ("ordering", "migrate"): DatabaseSettings,
    ("ordering", "set-up"): ServiceSettings,
    ("ordering", "dead-letters", "list"): OrderingOperatorSettings,
    ("serving",): ServingSettings,
    ("serving", "set-up"): ServiceSettings,
    ("serving", "dead-letters", "list"): ServiceSettings,
    ("query",): QuerySettings,
    ("query", Role.API): QuerySettings,
    ("query", Role.PROJECTOR): QuerySettings,
    ("query", "set-up"): ServiceSettings,
    ("query", "generations"): QueryOperatorSettings,
    ("query", "audit", "--without-values"): QueryOperatorSettings,
    (PAGES,): PagesSettings,
}
"""Image and arguments: the settings that are read."""

STEPS: dict[str, tuple[str, ...]] = {
    "ordering": ("migrate", "set-up"),
    "serving": ("set-up",),
    "query": ("set-up",),
    PAGES: (),
}
"""The arguments with which a service's image runs once before it serves."""

GIVEN_BY_A_SECRET = {
    "COMANDA_NATS_URL": "nats://user@host",
    "COMANDA_NATS_SEED": f"SU{'A' * 56}",
    "COMANDA_OPERATOR_NATS_URL": "nats://user@host",
    "COMANDA_OPERATOR_NATS_SEED": f"SU{'A' * 56}",
    "COMANDA_OPERATOR_MONGODB_URL": "mongodb://user:password@host/database",
    "COMANDA_DATABASE_URL": "postgresql+asyncpg://user:password@host/database",
    "COMANDA_MONGODB_URL": "mongodb://user:password@host/database",
}
"""Stands for what is in the secret."""


def version_of(service: str) -> str:
    """The version that its package has."""
    if service == PAGES:
        return str(json.loads((ROOT / "services" / PAGES / "package.json").read_text())["version"])
    package = ROOT / "services" / service / "pyproject.toml"
    return str(tomllib.loads(package.read_text())["project"]["version"])


def variables_of(settings: type[BaseSettings]) -> dict[str, bool]:
    """The environment variables that are read, and whether each is secret."""
    return {
        f"{PREFIX}{name}".upper(): field.annotation is SecretStr
        for name, field in settings.model_fields.items()
    }


def complaints(settings: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    """What the program would say at its start in this environment, and what it would not read."""
    known = variables_of(settings)
    unknown = [f"{name} is no setting" for name in environment if name not in known]
    there = guest_keys().environment_of("ordering")  # a file that is read at the start
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): there.get(name, text)
        for name, text in environment.items()
    }
    try:
        settings(_env_prefix="NOT_OF_THIS_PROCESS_", **given)
    except ValidationError as error:
        return unknown + [
            f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors()
        ]
    return unknown
