"""The issuer's keys: which are used, and that no outage, rotation or flood refuses a good token."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey
from prometheus_client import REGISTRY
from query.settings import Settings
from service_kit.access import key_source
from service_kit.access.invalid_token import InvalidToken
from service_kit.access.jwks import keys_in
from service_kit.access.key_source import (
    JWKS_BYTES_MAX,
    JwksFile,
    JwksUrl,
    KeysUnreadable,
    source_of,
)
from service_kit.access.keys import KeySet, KeysUnavailable
from service_kit.access.tokens import TokenVerifier
from service_kit.runtime.settings import load

from tests.access.forge import (
    EXPECTED,
    FakeClock,
    FakeSource,
    a_set,
    claims,
    ec_key,
    encoded,
    rsa_key,
    signed,
)

MINUTE_S, HOUR_S = 60, 3600


def jwk(key: Any, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (key.as_dict() | changed).items() if value is not None}


UNFIT: dict[str, Any] = {
    "symmetric": jwk(OctKey.generate_key(256), kid="x"),
    "private": ec_key("x").as_dict(private=True),
    "private RSA": rsa_key("x").as_dict(private=True),
    "for encryption": jwk(ec_key("x"), use="enc"),
    "for another algorithm": jwk(rsa_key("x"), alg="PS256"),
    "of another curve": jwk(ECKey.generate_key("P-384"), kid="x"),
    "that says another algorithm than its type": jwk(ec_key("x"), alg="RS256"),
    "that signs": jwk(ec_key("x"), key_ops=["sign"]),
    "short": {"kty": "RSA", "e": "AQAB", "n": encoded(b"\xff" * 128), "kid": "x"},
    "off its curve": jwk(ec_key("x"), y=ec_key("y").as_dict()["y"]),
    "with numbers that are none": jwk(ec_key("x"), x="!"),
    "with numbers that are lists": jwk(ec_key("x"), x=[1]),
    "without numbers": {"kty": "RSA", "kid": "x"},
    "of another kind": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "x"},
    "with a numbered kid": jwk(ec_key("x"), kid=7),
    "with a long kid": jwk(ec_key("x"), kid="x" * 256),
    "that is none": "key",
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_key_that_does_not_fit_is_left_out(kind: str) -> None:
    keys = keys_in(json.dumps({"keys": [UNFIT[kind], jwk(ec_key())]}).encode())

    assert list(keys) == [("ES256", "ec-1")]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"[" * 100_000]
)
def test_what_is_no_set_of_keys_is_unreadable(content: bytes) -> None:
    with pytest.raises(KeysUnreadable):
        keys_in(content)


async def a_good_token_is_accepted(verifier: TokenVerifier, key: ECKey) -> bool:
    return await is_accepted(verifier, signed(claims(), key))


async def is_accepted(verifier: TokenVerifier, token: str) -> bool:
    try:
        return bool(await verifier.verify(token))
    except InvalidToken:
        return False


async def test_nobody_is_known_before_the_first_set() -> None:
    source = FakeSource(ec_key())
    source.is_away = True
    keys = KeySet(source)

    with pytest.raises(KeysUnavailable):
        await keys.find("ES256", "ec-1")


async def test_the_service_is_ready_from_the_first_set_on_whatever_comes() -> None:
    clock, source, said = FakeClock(0), FakeSource(ec_key()), list[str | None]()
    source.is_away = True
    keys = KeySet(source, clock)
    told = asyncio.Event()

    def ready(failing: str | None = None) -> None:
        said.append(failing)
        told.set()

    for is_away in (True, False, True):
        source.is_away = is_away
        clock.now_s += HOUR_S
        told.clear()
        running = asyncio.create_task(keys.run(ready))
        await told.wait()
        running.cancel()
        await asyncio.wait([running])

    assert said == ["no keys: nobody answers", None, None]


async def test_a_provider_that_is_away_for_an_hour_refuses_nobody() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    verifier = TokenVerifier(keys, EXPECTED)
    await keys.refresh()
    source.is_away = True
    accepted, reads_before = [], source.reads

    for _ in range(HOUR_S):
        clock.now_s += 1
        await keys.refresh()
        if clock.now_s % MINUTE_S == 0:
            accepted.append(await a_good_token_is_accepted(verifier, ec_key()))

    assert all(accepted)
    assert source.reads - reads_before <= 2 * HOUR_S / MINUTE_S


async def test_a_set_without_a_usable_key_leaves_the_one_before() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    await keys.refresh()
    source.content = b'{"keys": []}'

    clock.now_s += HOUR_S
    await keys.refresh()

    assert await keys.find("ES256", "ec-1")


async def test_the_first_token_of_a_new_key_has_it_fetched_once_for_all_who_wait() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    await keys.refresh()
    source.content = a_set(ec_key(), ec_key("ec-2"))
    clock.now_s += MINUTE_S

    found = await asyncio.gather(*(keys.find("ES256", "ec-2") for _ in range(50)))

    assert all(found)
    assert source.reads == 2


async def test_a_flood_of_unknown_keys_costs_two_fetches_a_minute_and_refuses_nobody_else() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    verifier = TokenVerifier(keys, EXPECTED)
    await keys.refresh()
    accepted, reads_before = [], source.reads
    unknown = [signed(claims(), ec_key("unknown"), kid=f"unknown-{number}") for number in range(20)]

    for second in range(10 * MINUTE_S):
        clock.now_s += 1
        assert not await a_good_token_is_accepted(verifier, ec_key("unknown"))
        for token in unknown if second % 10 == 0 else ():
            with pytest.raises(InvalidToken):
                await verifier.verify(token)
        await keys.refresh()
        accepted.append(await a_good_token_is_accepted(verifier, ec_key()))

    assert all(accepted)
    assert source.reads - reads_before <= 20


class LoadedSource(FakeSource):
    """A provider that takes its time, so that others ask meanwhile."""

    async def read(self) -> bytes:
        for _ in range(20):
            await asyncio.sleep(0)
        return await super().read()


@pytest.mark.parametrize("unknown_keys", [0, 5], ids=["alone", "in a flood"])
async def test_a_key_that_is_rotated_under_load_refuses_no_good_token(unknown_keys: int) -> None:
    """It is published half a minute before it signs, and the one before stays for a while."""
    clock, source = FakeClock(0), LoadedSource(ec_key())
    keys = KeySet(source, clock)
    verifier = TokenVerifier(keys, EXPECTED)
    await keys.refresh()
    refused, reads_before = 0, source.reads

    for second in range(0, 10 * MINUTE_S, 5):
        clock.now_s += 5
        if second == 4 * MINUTE_S:
            source.content = a_set(ec_key(), ec_key("ec-2"))
        if second == 8 * MINUTE_S:
            source.content = a_set(ec_key("ec-2"))
        signing = ec_key() if second <= 4.5 * MINUTE_S else ec_key("ec-2")
        good = (a_good_token_is_accepted(verifier, signing) for _ in range(5))
        flood = signed(claims(), ec_key("unknown"), kid=f"unknown-{second}")
        unknown = (is_accepted(verifier, flood) for _ in range(unknown_keys))
        accepted = await asyncio.gather(keys.refresh(), *good, *unknown)
        refused += accepted[1:].count(False) - unknown_keys

    assert refused == 0
    assert source.reads - reads_before <= 2 * 10


async def test_a_key_that_is_published_before_it_signs_is_known_in_a_flood_too() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    await keys.refresh()
    source.content = a_set(ec_key("ec-2"))

    for _ in range(30):
        clock.now_s += 1
        assert await keys.find("ES256", "unknown") is None

    assert await keys.find("ES256", "ec-2")


async def test_a_request_that_goes_away_takes_the_fetch_from_nobody() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock)
    asking = asyncio.create_task(keys.find("ES256", "ec-1"))
    await asyncio.sleep(0)

    asking.cancel()

    assert await keys.find("ES256", "ec-1")
    assert source.reads == 1


async def test_a_file_that_has_changed_is_read_again_at_once(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(a_set(ec_key()))
    keys = KeySet(source_of(str(path)))
    assert await keys.find("ES256", "ec-1")

    path.write_bytes(a_set(ec_key("ec-2")))

    assert await keys.find("ES256", "ec-2")
    assert await keys.find("ES256", "ec-1") is None


async def test_a_file_that_is_half_written_or_gone_leaves_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(a_set(ec_key()))
    keys = KeySet(JwksFile(path))
    await keys.find("ES256", "ec-1")

    path.write_bytes(a_set(ec_key())[:50])
    assert await keys.find("ES256", "unknown") is None
    path.unlink()
    assert await keys.find("ES256", "unknown") is None

    assert await keys.find("ES256", "ec-1")


def provider(response: httpx.Response) -> JwksUrl:
    transport = httpx.MockTransport(lambda _: response)
    return JwksUrl("https://issuer.test/jwks", lambda: httpx.AsyncClient(transport=transport))


async def test_a_url_is_fetched() -> None:
    source = provider(httpx.Response(200, content=a_set(ec_key())))

    assert await source.read() == a_set(ec_key())

    await source.close()


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://elsewhere.test"}),
        httpx.Response(200, content=b"x" * (JWKS_BYTES_MAX + 1)),
    ],
    ids=["an error", "a redirect", "too long"],
)
async def test_a_url_that_answers_otherwise_is_unreadable(response: httpx.Response) -> None:
    source = provider(response)

    with pytest.raises(KeysUnreadable):
        await source.read()

    await source.close()


class Dripping(httpx.AsyncByteStream):
    """An answer of which something comes again and again, and never the end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b""
            await asyncio.sleep(0.001)


async def test_a_url_whose_answer_never_ends_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_source, "FETCH_TIMEOUT_S", 0.05)
    source = provider(httpx.Response(200, stream=Dripping()))

    async with asyncio.timeout(30):
        with pytest.raises(KeysUnreadable):
            await source.read()

    await source.close()


async def test_when_the_keys_were_last_read_well_is_measured() -> None:
    clock, source = FakeClock(0), FakeSource(ec_key())
    keys = KeySet(source, clock, of="these")
    source.is_away = True
    await keys.refresh()
    before = last_read_of("these")

    source.is_away = False
    clock.now_s += HOUR_S
    await keys.refresh()
    read = last_read_of("these")
    source.content = b"{}"
    clock.now_s += HOUR_S
    await keys.refresh()

    assert before is None
    assert read
    assert last_read_of("these") == read


def last_read_of(name: str) -> float | None:
    return REGISTRY.get_sample_value("comanda_access_keys_read_timestamp_seconds", {"of": name})


SECRETS = ("svc", "s3cret", "abc", "tenant-7")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(302, headers={"Location": "https://idp.example/?key=abc"}),
        httpx.ConnectError("https://idp.example/tenant-7?key=abc"),
        httpx.InvalidURL("s3cret"),
    ],
    ids=["an error", "a redirect", "nobody", "no URL"],
)
async def test_why_a_url_is_unreadable_names_its_host_and_nothing_else_of_it(
    answer: httpx.Response | Exception,
) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx.MockTransport(handle)
    url = "https://svc:s3cret@idp.example/tenant-7?key=abc"
    source = JwksUrl(url, lambda: httpx.AsyncClient(transport=transport))

    with pytest.raises(KeysUnreadable) as unreadable:
        await source.read()

    assert "idp.example" in str(unreadable.value)
    assert [each for each in SECRETS if each in str(unreadable.value)] == []
    await source.close()


async def test_an_empty_first_answer_is_said_to_be_no_set() -> None:
    source = FakeSource()
    source.content = b""

    with pytest.raises(KeysUnavailable, match="it is not JSON"):
        await KeySet(source).find("ES256", "ec-1")


@pytest.mark.parametrize(
    "jwks",
    [
        "https://svc:s3cret@idp.example/jwks",
        "https://s3cret@idp.example/jwks",
        "HTTPS://svc:s3cret@idp.example/jwks",
        " https://svc:s3cret@idp.example/jwks",
        "ftp://svc:s3cret@idp.example/jwks",
        "https://svc:s3cret@[idp.example/jwks",
        "https:///jwks",
    ],
)
@pytest.mark.parametrize("variable", ["COMANDA_JWKS", "COMANDA_GUEST_JWKS"])
def test_a_url_with_a_password_in_it_or_of_another_scheme_is_no_setting(
    variable: str, jwks: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {
        "COMANDA_NATS_URL": "nats://nats:4222",
        "COMANDA_MONGODB_URL": "mongodb://mongodb/query",
        "COMANDA_JWKS": "/keys/jwks.json",
        "COMANDA_ISSUER": "https://idp.example",
    }
    for name, value in (good | {variable: jwks}).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        load(Settings)

    said = capsys.readouterr().err
    assert said.startswith(f"{variable}: ")
    assert "s3cret" not in said
