"""A password of any characters, percent-encoded in a store's URL, reaches the store as it is."""

from urllib.parse import quote

import nats
import pytest
from comanda_local import server_files
from comanda_local.servers.nats import new_password
from ordering.outbound.database.engine import connect as connect_postgres
from query.storage.client import connect as connect_mongodb
from service_kit.nats.jetstream import credentials

PASSWORD = "p%40/:?#[]@!$&'()*+,;=% %zzü"
ENCODED = quote(PASSWORD, safe="")


def test_nats_is_told_the_password() -> None:
    told = credentials([f"nats://ordering:{ENCODED}@nats:4222"])

    assert (told["user"], told["password"]) == ("ordering", PASSWORD)


async def test_comandas_own_commands_tell_nats_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, object] = {}

    async def connect(_: list[str], **options: object) -> None:
        told.update(options)

    monkeypatch.setattr(nats, "connect", connect)

    await server_files.connect_nats(f"nats://operator:{ENCODED}@nats:4222", {})

    assert told == {"user": "operator", "password": PASSWORD}


def test_postgresql_is_told_the_password() -> None:
    engine = connect_postgres(f"postgresql+asyncpg://ordering:{ENCODED}@pg/ordering")

    _, options = engine.dialect.create_connect_args(engine.url)

    assert options["password"] == PASSWORD


async def test_mongodb_is_told_the_password() -> None:
    client, _ = connect_mongodb(f"mongodb://query:{ENCODED}@mongodb/comanda")

    async with client:
        login = client.options.pool_options._credentials
        assert login is not None
        assert login.password == PASSWORD


def test_a_password_that_is_made_needs_no_encoding() -> None:
    for password in (new_password() for _ in range(100)):
        assert quote(password, safe="") == password
