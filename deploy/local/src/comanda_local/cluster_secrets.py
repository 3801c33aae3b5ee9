"""`comanda secrets`: the Secrets that a cluster is given before anything runs on it."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from comanda_local.access import JWKS_FILE, KEY_FILE, new_key_pair
from comanda_local.folders import make_file
from comanda_local.nats_keys import new_seed, public_half
from comanda_local.servers.nats import (
    ACCOUNTS,
    ENVIRONMENT,
    key_variable,
    new_password,
    password_variable,
    users_of,
)

NAMESPACE = "comanda"
SERVICES = ("ordering", "serving", "query")
SEED = "COMANDA_NATS_SEED"
CLIENTS = "nats-clients"
"""The Secret with the seeds of teams and tills, for whoever hands them out: nothing mounts it."""
DATABASE, VIEWS = "COMANDA_DATABASE_URL", "COMANDA_MONGODB_URL"


class Size(StrEnum):
    """The sizes that there are manifests for."""

    SMALL = "small"
    PRODUCTION = "production"


Secrets = dict[str, dict[str, str]]
"""Their keys and values, by name."""


def new_secrets(size: Size, accounts: Path = ACCOUNTS) -> Secrets:
    """All that the manifests of this size refer to, but the ingress's certificate.

    A password that a store is given and a service gives it is made once, for both, and so is the
    key of guests' capabilities, of which ordering has the private and query the public half. NATS
    is given the public half of each user's key, and whoever has the key its seed.
    """
    seeds = {user: new_seed() for user in users_of(accounts, "NKEY")}
    publics = {key_variable(user): public_half(seed) for user, seed in seeds.items()}
    postgresql, migrator, reader, projector = (new_password() for _ in range(4))
    database_host, views = {
        Size.SMALL: ("postgresql", "mongodb:27017/comanda?replicaSet=rs0"),
        Size.PRODUCTION: ("postgresql-rw", "mongodb-svc:27017/comanda?replicaSet=mongodb"),
    }[size]
    secrets = {
        name: {ENVIRONMENT: f"nats://{name}@nats:4222", SEED: seeds.pop(name).decode()}
        for service in SERVICES
        for name in (service, f"{service}-operator")
    }
    database = f"@{database_host}/ordering"
    secrets["ordering"][DATABASE] = f"postgresql+asyncpg://ordering:{postgresql}{database}"
    migrator_url = f"postgresql+asyncpg://ordering_migrator:{migrator}{database}"
    secrets["ordering-migrator"] = {DATABASE: migrator_url}
    secrets["query"][VIEWS] = f"mongodb://query:{reader}@{views}"
    secrets["query-projector"] = {VIEWS: f"mongodb://query-projector:{projector}@{views}"}
    private, public = new_key_pair()
    secrets["ordering-guests"] = {KEY_FILE: private}
    secrets["query-guests"] = {JWKS_FILE: public}
    secrets["nats"] = publics | {
        password_variable(user): new_password() for user in users_of(accounts, "PASSWORD")
    }
    secrets[CLIENTS] = {f"{user}.nk": seed.decode() for user, seed in seeds.items()}
    return secrets | _secrets_of_stores(size, postgresql, migrator, reader, projector)


def _secrets_of_stores(
    size: Size, postgresql: str, migrator: str, reader: str, projector: str
) -> Secrets:
    match size:
        case Size.SMALL:
            return {
                "postgresql": {
                    "POSTGRES_PASSWORD": new_password(),
                    "ORDERING_PASSWORD": postgresql,
                    "ORDERING_MIGRATOR_PASSWORD": migrator,
                },
                "mongodb": {
                    "MONGODB_ROOT_PASSWORD": new_password(),
                    "MONGODB_REPLICA_SET_KEY": new_password(),
                    "MONGODB_QUERY_PASSWORD": reader,
                    "MONGODB_QUERY_PROJECTOR_PASSWORD": projector,
                },
            }
        case Size.PRODUCTION:
            return {
                "postgresql-ordering": {"username": "ordering", "password": postgresql},
                "postgresql-ordering-migrator": {
                    "username": "ordering_migrator",
                    "password": migrator,
                },
                "mongodb-query": {"password": reader},
                "mongodb-query-projector": {"password": projector},
            }


def write_secrets(secrets: Secrets, file: Path) -> None:
    """Write them for `kubectl create -f`, to a new file of its owner alone.

    Raises FileExistsError: passwords that were made once may be in use.
    """
    whole = {"apiVersion": "v1", "kind": "List", "items": _manifests(secrets)}
    make_file(file, json.dumps(whole, indent=2).encode(), mode=0o600)


def _manifests(secrets: Secrets) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": values,
        }
        for name, values in secrets.items()
    ]
