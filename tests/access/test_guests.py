"""A guest's capability opens his own order, for a day, and nothing else."""

import base64
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from ordering.settings import Settings
from pydantic import ValidationError
from service_kit.access.guests import (
    GUEST_AUDIENCE,
    GUEST_TOKEN_LIFE_S,
    GUEST_TYPE,
    GuestKeyUnusable,
    GuestSigner,
    GuestVerifier,
    is_guest_token,
)
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.keys import KeySet
from service_kit.access.roles import Role
from service_kit.access.signed import SignedTokens
from service_kit.access.tokens import TokenVerifier

from tests.access.forge import EXPECTED, RESTAURANT, FakeClock, FakeSource, ec_key, rsa_key

ORDER = "01999999-0000-7000-8000-000000000001"
NOW_S = 1_800_000_000.0
KEY = "guests-1"
GOOD = {
    "aud": GUEST_AUDIENCE,
    "iat": int(NOW_S),
    "exp": int(NOW_S) + 60,
    "sub": ORDER,
    "restaurant": RESTAURANT,
}


def verifier(now_s: float = NOW_S) -> GuestVerifier:
    return GuestVerifier(KeySet(FakeSource(ec_key(KEY), rsa_key())), FakeClock(now_s))


def signed(key: Any = None, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with a good key, header and claims, but for those that are given."""
    whole = {"typ": GUEST_TYPE, "alg": "ES256", "kid": KEY} | (header or {})
    said = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return jwt.encode(whole, said, key or ec_key(KEY), algorithms=[whole["alg"]])


async def test_it_is_for_one_order_of_one_restaurant() -> None:
    token = GuestSigner(ec_key(KEY), FakeClock(NOW_S)).token(RESTAURANT, ORDER)

    guest = await verifier().verify(token)

    assert is_guest_token(token)
    assert guest.own_order == (RESTAURANT, ORDER)
    assert not guest.may(RESTAURANT, set(Role))
    assert not guest.may_act_as(RESTAURANT)
    assert guest.expires_at == NOW_S + GUEST_TOKEN_LIFE_S


async def test_it_is_verified_once_for_as_long_as_it_is_good_and_its_key_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks: list[object] = []
    check = SignedTokens.check

    def counted(self: SignedTokens, *asked: Any) -> None:
        checks.append(asked)
        check(self, *asked)

    monkeypatch.setattr(SignedTokens, "check", counted)
    source, clock = FakeSource(ec_key(KEY)), FakeClock(NOW_S)
    keys = KeySet(source, clock)
    guests, token = GuestVerifier(keys, clock), signed()

    assert {(await guests.verify(token)).own_order for _ in range(3)} == {(RESTAURANT, ORDER)}
    assert len(checks) == 1
    clock.now_s = NOW_S + 60
    with pytest.raises(InvalidToken, match="expired"):
        await guests.verify(token)
    clock.now_s = NOW_S
    await guests.verify(token)
    assert guests.remembered(token)
    keys.revision += 1  # as when another set was read
    assert guests.remembered(token) is None


async def test_it_is_over_after_a_day() -> None:
    token = GuestSigner(ec_key(KEY), FakeClock(NOW_S)).token(RESTAURANT, ORDER)

    await verifier(NOW_S + GUEST_TOKEN_LIFE_S - 1).verify(token)
    with pytest.raises(InvalidToken, match=Reason.EXPIRED.value):
        await verifier(NOW_S + GUEST_TOKEN_LIFE_S).verify(token)


async def test_every_signature_has_its_full_length() -> None:
    signer, guests = GuestSigner(ec_key(KEY), FakeClock(NOW_S)), verifier()
    for n in range(300):  # one in 128 has a number that begins with zeros
        await guests.verify(signer.token(RESTAURANT, f"{n}"))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(ec_key("other"), header={"kid": KEY}), Reason.BAD_SIGNATURE),
        (signed(ec_key("other"), header={"kid": "other"}), Reason.UNKNOWN_KEY),
        (signed(header={"typ": "at+jwt"}), Reason.WRONG_TYPE),
        (signed(rsa_key(), header={"alg": "RS256", "kid": "rsa-1"}), Reason.WRONG_ALGORITHM),
        (signed(aud="comanda"), Reason.WRONG_AUDIENCE),
        (signed(aud=[GUEST_AUDIENCE, "comanda"]), Reason.WRONG_AUDIENCE),
        (signed(exp=int(NOW_S)), Reason.EXPIRED),
        (signed(iat=0, exp=2**39), Reason.EXPIRED),
        (signed(iat=int(NOW_S) + 120), Reason.NOT_YET_VALID),
        (signed(exp=None), Reason.MALFORMED),
        (signed(exp=True), Reason.MALFORMED),
        (signed(restaurant="*"), Reason.MALFORMED),
        (signed(restaurant=None), Reason.MALFORMED),
        (signed(sub=None), Reason.MALFORMED),
        (signed(sub="x" * 2000), Reason.TOO_LONG),
        (signed().rpartition(".")[0] + ".", Reason.MALFORMED),
    ],
)
async def test_another_is_refused(token: str, reason: Reason) -> None:
    with pytest.raises(InvalidToken, match=reason.value):
        await verifier().verify(token)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_what_no_private_key_has_signed_is_refused(algorithm: str) -> None:
    header = part({"typ": GUEST_TYPE, "alg": algorithm, "kid": KEY})
    content = f"{header}.{part(GOOD)}"
    public = json.dumps(ec_key(KEY).as_dict(private=False)).encode()
    signature = encoded(hmac.digest(public, content.encode(), "sha256"))

    with pytest.raises(InvalidToken, match=Reason.WRONG_ALGORITHM.value):
        await verifier().verify(f"{content}.{signature}")


def part(content: dict[str, Any]) -> str:
    return encoded(json.dumps(content).encode())


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@given(st.text(max_size=80) | st.from_regex(r"[\w-]{0,9}\.[\w-]{0,9}\.[\w-]{0,9}", fullmatch=True))
async def test_garbage_is_refused_and_nothing_else(garbage: str) -> None:
    assert not is_guest_token(garbage)
    with pytest.raises(InvalidToken):
        await verifier().verify(garbage)


async def test_it_is_no_access_token_though_the_key_were_the_issuers() -> None:
    token = GuestSigner(ec_key(KEY)).token(RESTAURANT, ORDER)

    with pytest.raises(InvalidToken, match=Reason.WRONG_TYPE.value):
        await TokenVerifier(KeySet(FakeSource(ec_key(KEY))), EXPECTED).verify(token)


async def test_the_key_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(ec_key(KEY).as_dict(private=True)))

    token = GuestSigner.from_file(file).token(RESTAURANT, ORDER)

    verifier_of_now = GuestVerifier(KeySet(FakeSource(ec_key(KEY))))
    assert (await verifier_of_now.verify(token)).own_order == (RESTAURANT, ORDER)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        os.urandom(64),
        json.dumps(ec_key(KEY).as_dict(private=False)).encode(),
        json.dumps(rsa_key().as_dict(private=True)).encode(),
        json.dumps(ECKey.generate_key("P-384", {"kid": "k"}).as_dict(private=True)).encode(),
        json.dumps(ECKey.generate_key("P-256").as_dict(private=True)).encode(),
    ],
    ids=["empty", "no JSON", "random", "public", "RSA", "another curve", "without a name"],
)
def test_a_file_without_such_a_key_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_bytes(content)

    with pytest.raises(GuestKeyUnusable):
        GuestSigner.from_file(file)


def test_a_setting_without_such_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="gone"):
        Settings(guest_key=str(tmp_path / "gone"))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuestKeyUnusable, match="gone"):
        GuestSigner.from_file(tmp_path / "gone")
