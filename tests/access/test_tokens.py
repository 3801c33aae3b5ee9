"""Which tokens are good, and why the others are not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from service_kit.access.claims import CLOCK_SKEW_S, Expected
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.keys import KeySet
from service_kit.access.roles import Role
from service_kit.access.tokens import TOKEN_BYTES_MAX, TokenVerifier, bearer_token

from tests.access.forge import (
    AUDIENCE,
    CLAIM,
    HOUR_S,
    ISSUER,
    OTHER,
    RESTAURANT,
    FakeClock,
    FakeSource,
    a_verifier,
    claims,
    ec_key,
    encoded,
    rsa_key,
    signed,
    signed_with_the_public_key,
    unsigned,
)

NOW_S = 1_800_000_000.0
DEEP = b'{"iss":' + b"[" * 3_000 + b"]" * 3_000 + b"}"


def good(**changed: Any) -> dict[str, Any]:
    return claims(NOW_S, **changed)


BAD_TOKENS: dict[str, tuple[Callable[[], str], Reason]] = {
    "garbage": (lambda: "garbage", Reason.MALFORMED),
    "two parts": (lambda: "a.b", Reason.MALFORMED),
    "no base64": (lambda: "a.b.c", Reason.MALFORMED),
    "a header that is no JSON": (lambda: f"{encoded(b'{')}.e30.AA", Reason.MALFORMED),
    "a header that is a list": (lambda: f"{encoded(b'[1]')}.e30.AA", Reason.MALFORMED),
    "a header of lists": (lambda: f"{encoded(b'[' * 1000 + b']' * 1000)}.e30.AA", Reason.MALFORMED),
    "a header of algorithms": (lambda: signed(good(), alg=["ES256"]), Reason.WRONG_ALGORITHM),
    "a header of numbers": (lambda: signed(good(), kid=7), Reason.MALFORMED),
    "too long": (lambda: signed(good(more="x" * TOKEN_BYTES_MAX)), Reason.TOO_LONG),
    "a long header": (lambda: signed(good(), more="x" * 3_000), Reason.MALFORMED),
    "expired": (lambda: signed(good(exp=NOW_S - CLOCK_SKEW_S)), Reason.EXPIRED),
    "not yet valid": (lambda: signed(good(nbf=NOW_S + CLOCK_SKEW_S + 1)), Reason.NOT_YET_VALID),
    "issued later": (lambda: signed(good(iat=NOW_S + CLOCK_SKEW_S + 1)), Reason.NOT_YET_VALID),
    "wrong issuer": (lambda: signed(good(iss="https://other.test")), Reason.WRONG_ISSUER),
    "issuer with a slash": (lambda: signed(good(iss=f"{ISSUER}/")), Reason.WRONG_ISSUER),
    "a list of issuers": (lambda: signed(good(iss=[ISSUER])), Reason.WRONG_ISSUER),
    "wrong audience": (lambda: signed(good(aud="other")), Reason.WRONG_AUDIENCE),
    "wrong audiences": (lambda: signed(good(aud=["other", f"{AUDIENCE}s"])), Reason.WRONG_AUDIENCE),
    "an audience within": (lambda: signed(good(aud={AUDIENCE: 1})), Reason.WRONG_AUDIENCE),
    "an ID token": (lambda: signed(good(), typ="JWT"), Reason.WRONG_TYPE),
    "no type": (lambda: signed(good(), typ=None), Reason.WRONG_TYPE),
    "a type that is a number": (lambda: signed(good(), typ=1), Reason.WRONG_TYPE),
    "alg none": (lambda: unsigned(good()), Reason.WRONG_ALGORITHM),
    "HS256 with the public key": (
        lambda: signed_with_the_public_key(good(), rsa_key()),
        Reason.WRONG_ALGORITHM,
    ),
    "another algorithm's name": (
        lambda: signed(good(), rsa_key(), alg="PS256"),
        Reason.WRONG_ALGORITHM,
    ),
    "unknown key": (lambda: signed(good(), ec_key("unknown")), Reason.UNKNOWN_KEY),
    "another algorithm's key": (lambda: signed(good(), kid="rsa-1"), Reason.UNKNOWN_KEY),
    "somebody else's key": (
        lambda: signed(good(), ec_key("unknown"), kid="ec-1"),
        Reason.BAD_SIGNATURE,
    ),
    "no signature": (lambda: signed(good()).rpartition(".")[0] + ".", Reason.BAD_SIGNATURE),
    "a null signature": (
        lambda: signed(good()).rpartition(".")[0] + "." + encoded(bytes(64)),
        Reason.BAD_SIGNATURE,
    ),
    "other claims": (
        lambda: (
            f"{signed(good()).split('.')[0]}.{signed(good(sub='mario')).split('.')[1]}."
            f"{signed(good()).split('.')[2]}"
        ),
        Reason.BAD_SIGNATURE,
    ),
    "critical": (lambda: signed(good(), crit=["exp"], exp=1), Reason.MALFORMED),
    "unencoded": (lambda: signed(good(), b64=False, crit=["b64"]), Reason.MALFORMED),
    "claims that are a list": (lambda: signed(b"[]"), Reason.MALFORMED),
    "claims that are no JSON": (lambda: signed(b"\xff"), Reason.MALFORMED),
    "deep claims": (lambda: signed(DEEP), Reason.MALFORMED),
    "exp that is no number": (lambda: signed(good(exp="tomorrow")), Reason.MALFORMED),
    "exp that is true": (lambda: signed(good(exp=True)), Reason.MALFORMED),
    "exp that is NaN": (lambda: signed(good(exp=float("nan"))), Reason.MALFORMED),
    "exp that is infinite": (
        lambda: signed(json.dumps(good(exp=0)).replace('"exp": 0', '"exp": 1e999').encode()),
        Reason.MALFORMED,
    ),
    "exp that is huge": (lambda: signed(good(exp=10**400)), Reason.MALFORMED),
    "no exp": (lambda: signed(good(exp=None)), Reason.MALFORMED),
    "no iat": (lambda: signed(good(iat=None)), Reason.MALFORMED),
    "nbf that is null": (
        lambda: signed(json.dumps(good(nbf=0)).replace('"nbf": 0', '"nbf": null').encode()),
        Reason.MALFORMED,
    ),
    "no jti": (lambda: signed(good(jti=None)), Reason.MALFORMED),
    "no sub": (lambda: signed(good(sub=None)), Reason.MALFORMED),
    "empty sub": (lambda: signed(good(sub="")), Reason.MALFORMED),
    "blank sub": (lambda: signed(good(sub="  ")), Reason.MALFORMED),
    "long sub": (lambda: signed(good(sub="x" * 256)), Reason.MALFORMED),
    "sub with a line break": (lambda: signed(good(sub="a\nb")), Reason.MALFORMED),
    "sub with an escape": (lambda: signed(good(sub="\x1b[31m")), Reason.MALFORMED),
    "half a sub": (lambda: signed(good(sub="\ud800")), Reason.MALFORMED),
    "a numbered sub": (lambda: signed(good(sub=7)), Reason.MALFORMED),
    "device with a line break": (lambda: signed(good(device="a\nb")), Reason.MALFORMED),
    "grants that are a list": (lambda: signed(good(comanda=["manager"])), Reason.MALFORMED),
    "grants of words": (lambda: signed(good(comanda={RESTAURANT: "manager"})), Reason.MALFORMED),
    "grants of numbers": (lambda: signed(good(comanda={RESTAURANT: [1]})), Reason.MALFORMED),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_is_refused_for_its_reason(kind: str) -> None:
    token, reason = BAD_TOKENS[kind]
    verifier = a_verifier(clock=FakeClock(NOW_S))

    for _ in range(2):
        with pytest.raises(InvalidToken) as refused:
            await verifier.verify(token())

        assert refused.value.reason is reason


@pytest.mark.parametrize("key", [ec_key(), rsa_key()], ids=["ES256", "RS256"])
async def test_a_good_token_says_who_sends_it(key: Any) -> None:
    grants = {
        RESTAURANT: ["kitchen", "manager", "chef", "act-as"],
        "*": ["operator"],
        "No Slug": ["till"],
    }

    principal = await a_verifier(clock=FakeClock(NOW_S)).verify(
        signed(good(comanda=grants, device="till-3"), key)
    )

    assert (principal.subject, principal.device) == ("luigi", "till-3")
    assert principal.grants == {
        RESTAURANT: {Role.KITCHEN, Role.MANAGER},
        "*": {Role.OPERATOR},
    }
    assert principal.may_act_as(RESTAURANT)
    assert not principal.may_act_as(OTHER)
    assert (principal.issued_at, principal.expires_at) == (NOW_S, NOW_S + HOUR_S)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", AUDIENCE]},
        {"exp": NOW_S - CLOCK_SKEW_S + 1},
        {"nbf": NOW_S + CLOCK_SKEW_S},
        {"sub": "Ludovica Bianchi ✓"},
        {"more": {"of": "the provider's"}},
    ],
    ids=str,
)
async def test_a_token_is_good_with(changed: dict[str, Any]) -> None:
    verifier = a_verifier(clock=FakeClock(NOW_S))

    assert await verifier.verify(signed(good(**changed)))


@pytest.mark.parametrize("kind", ["AT+JWT", "application/at+jwt"])
async def test_both_names_of_the_type_are_known(kind: str) -> None:
    assert await a_verifier(clock=FakeClock(NOW_S)).verify(signed(good(), typ=kind))


async def test_a_token_that_names_no_key_is_verified_by_the_only_one() -> None:
    verifier = a_verifier(clock=FakeClock(NOW_S))

    assert await verifier.verify(signed(good(), kid=None))


async def test_a_token_without_grants_is_known_and_may_nothing() -> None:
    principal = await a_verifier(clock=FakeClock(NOW_S)).verify(signed(good(comanda=None)))

    assert not principal.may(RESTAURANT, frozenset(Role))


@pytest.mark.parametrize(
    ("claim", "claims_there"),
    [
        ("/resource_access/comanda", {"resource_access": {"comanda": {RESTAURANT: ["till"]}}}),
        ("https://comanda.test/roles", {"https://comanda.test/roles": {RESTAURANT: ["till"]}}),
        ("/https:~1~1comanda.test", {"https://comanda.test": {RESTAURANT: ["till"]}}),
    ],
)
async def test_the_claim_has_a_name_or_a_path(claim: str, claims_there: dict[str, Any]) -> None:
    clock = FakeClock(NOW_S)
    keys = KeySet(FakeSource(ec_key()), clock)
    verifier = TokenVerifier(keys, Expected(ISSUER, AUDIENCE, claim), clock)

    principal = await verifier.verify(signed(good(comanda=None, **claims_there)))

    assert principal.may(RESTAURANT, {Role.TILL})


async def test_a_path_that_leads_nowhere_grants_nothing() -> None:
    clock = FakeClock(NOW_S)
    keys = KeySet(FakeSource(ec_key()), clock)
    verifier = TokenVerifier(keys, Expected(ISSUER, AUDIENCE, "/a/b/c"), clock)

    principal = await verifier.verify(signed(good(a={"b": "c"})))

    assert principal.grants == {}


async def test_a_verified_token_is_remembered_until_it_expires() -> None:
    clock = FakeClock(NOW_S)
    verifier = a_verifier(clock=clock)
    token = signed(good())
    principal = await verifier.verify(token)

    assert verifier.remembered(token) is principal

    clock.now_s = NOW_S + HOUR_S + CLOCK_SKEW_S

    assert verifier.remembered(token) is None
    with pytest.raises(InvalidToken) as refused:
        await verifier.verify(token)
    assert refused.value.reason is Reason.EXPIRED


async def test_a_token_that_is_met_after_its_end_takes_no_room_any_more() -> None:
    clock = FakeClock(NOW_S)
    verifier = a_verifier(clock=clock)
    over, good_still = signed(good(exp=NOW_S + 60)), signed(good())
    for token in (over, good_still):
        await verifier.verify(token)

    clock.now_s = NOW_S + 60 + CLOCK_SKEW_S
    assert verifier.remembered(over) is None

    assert verifier._verified.count == 1
    assert verifier._verified.size_bytes == len(good_still)


async def test_a_token_is_judged_as_of_the_time_that_is_said() -> None:
    clock = FakeClock(NOW_S + 2 * HOUR_S)
    verifier = a_verifier(clock=clock)
    token = signed(good())

    assert await verifier.verify(token, at_s=NOW_S)
    assert verifier.remembered(token) is None


async def test_a_remembered_token_is_refused_before_its_time_too() -> None:
    """As of a time that is said, or by a clock that was set back."""
    verifier = a_verifier(clock=FakeClock(NOW_S))
    token = signed(good(iat=NOW_S - HOUR_S, nbf=NOW_S))
    await verifier.verify(token)

    assert await verifier.verify(token, at_s=NOW_S - CLOCK_SKEW_S)
    early_s = NOW_S - CLOCK_SKEW_S - 1
    assert verifier.remembered(token, at_s=early_s) is None
    with pytest.raises(InvalidToken) as refused:
        await verifier.verify(token, at_s=early_s)
    assert refused.value.reason is Reason.NOT_YET_VALID


@pytest.mark.parametrize("token", ["\ud800.a.b", "é.a.b", "a" * (TOKEN_BYTES_MAX + 1)])
async def test_what_can_be_no_token_is_not_looked_for(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashing = "service_kit.access.verified_tokens._digest"
    monkeypatch.setattr(hashing, lambda _: pytest.fail("was hashed"))
    verifier = a_verifier(clock=FakeClock(NOW_S))

    assert verifier.remembered(token) is None
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service_kit.access.verified_tokens.VERIFIED_TOKENS_MAX", 2)
    verifier = a_verifier(clock=FakeClock(NOW_S))
    tokens = [signed(good(jti=str(number))) for number in range(3)]

    for token in tokens:
        await verifier.verify(token)

    assert [verifier.remembered(token) is None for token in tokens] == [True, False, False]


async def test_only_so_many_bytes_of_tokens_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = [signed(good(jti=str(number))) for number in range(3)]
    monkeypatch.setattr(
        "service_kit.access.verified_tokens.VERIFIED_BYTES_MAX",
        len(tokens[1]) + len(tokens[2]),
        raising=False,
    )
    verifier = a_verifier(clock=FakeClock(NOW_S))

    for token in tokens:
        await verifier.verify(token)
        await verifier.verify(token, at_s=NOW_S - CLOCK_SKEW_S)

    assert [verifier.remembered(token) is None for token in tokens] == [True, False, False]


async def test_a_key_that_is_taken_back_takes_its_remembered_tokens_with_it() -> None:
    clock = FakeClock(NOW_S)
    source = FakeSource(ec_key(), rsa_key())
    keys = KeySet(source, clock)
    verifier = TokenVerifier(keys, Expected(ISSUER, AUDIENCE, CLAIM), clock)
    token = signed(good())
    await verifier.verify(token)

    source.content = FakeSource(rsa_key()).content
    clock.now_s += source.interval_s
    await keys.refresh()

    assert verifier.remembered(token) is None
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c "])
def test_a_bearer_token_is_found(header: str) -> None:
    assert bearer_token(header) == "a.b.c"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "a.b.c", "Bearer\ta.b.c"]
)
def test_another_header_has_none(header: str) -> None:
    with pytest.raises(InvalidToken):
        bearer_token(header)
