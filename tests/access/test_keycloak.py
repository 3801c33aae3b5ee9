"""A token as Keycloak issues it, with the client scope of the page about it, is a good one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from service_kit.access.claims import Expected
from service_kit.access.invalid_token import InvalidToken, Reason
from service_kit.access.keys import KeySet
from service_kit.access.principal import Principal
from service_kit.access.roles import Role
from service_kit.access.tokens import TokenVerifier

from tests.access.forge import FakeClock, FakeSource, rsa_key, signed

PAGE = Path(__file__).parents[2] / "docs" / "keycloak.md"
NOW_S = 1_800_000_000
SUBJECT = "8b0c2f5e-6f0e-4b56-9d0b-0d2c7a6f1c11"
ATTRIBUTE = '{"la-piazza": ["till", "kitchen"], "*": ["board"]}'


def documented(variable: str) -> str:
    """The value that the page gives a variable."""
    [value] = re.findall(rf"^\| `{variable}` \| `([^`]*)`", PAGE.read_text(), re.MULTILINE)
    return str(value)


def a_scope() -> dict[str, Any]:
    [block] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    scope: dict[str, Any] = json.loads(block)
    return scope


def issued(scope: dict[str, Any], attribute: str) -> dict[str, Any]:
    """The claims of an access token of Keycloak 26, whose client has the scope."""
    claims: dict[str, Any] = {
        "exp": NOW_S + 300,
        "iat": NOW_S,
        "auth_time": NOW_S - 60,
        "jti": "onrtac:0b9b5b2c-6a4f-4f0e-8f59-2f2a2c1d9f50",
        "iss": documented("COMANDA_ISSUER"),
        "aud": "account",
        "sub": SUBJECT,
        "typ": "Bearer",
        "azp": "till",
        "sid": "c1f0a1de-54de-4c3b-9c33-0d6c6d3c3e07",
        "acr": "1",
        "allowed-origins": ["https://till.example"],
        "realm_access": {"roles": ["offline_access", "default-roles-comanda"]},
        "resource_access": {"account": {"roles": ["view-profile"]}, "comanda": {"roles": ["till"]}},
        "scope": "openid comanda profile",
        "preferred_username": "luigi",
    }
    for mapper in scope["protocolMappers"]:
        _apply(mapper, claims, attribute)
    return claims


def _apply(mapper: dict[str, Any], claims: dict[str, Any], attribute: str) -> None:
    """What Keycloak's mapper of this kind does to an access token."""
    config = mapper["config"]
    assert config["access.token.claim"] == "true"
    match mapper["protocolMapper"]:
        case "oidc-audience-mapper":
            claims["aud"] = [config["included.custom.audience"], claims["aud"]]
        case "oidc-usermodel-attribute-mapper":
            *outer, name = config["claim.name"].split(".")
            for each in outer:
                claims = claims.setdefault(each, {})
            is_json = config["jsonType.label"] == "JSON"
            claims[name] = json.loads(attribute) if is_json else attribute
        case kind:
            raise AssertionError(kind)


async def verified(
    claims: dict[str, Any], claim: str | None = None, *, type_: str = "at+jwt"
) -> Principal:
    clock = FakeClock(NOW_S + 1)
    expected = Expected(
        documented("COMANDA_ISSUER"),
        documented("COMANDA_AUDIENCE"),
        claim or documented("COMANDA_CLAIM"),
    )
    verifier = TokenVerifier(KeySet(FakeSource(rsa_key()), clock), expected, clock)
    return await verifier.verify(signed(claims, rsa_key(), typ=type_))


async def test_the_roles_of_the_attribute_are_the_tokens() -> None:
    principal = await verified(issued(a_scope(), ATTRIBUTE))

    assert principal.subject == SUBJECT
    assert principal.may("la-piazza", frozenset({Role.KITCHEN}))
    assert principal.may("il-porto", frozenset({Role.BOARD}))
    assert not principal.may("il-porto", frozenset({Role.KITCHEN}))


async def test_a_claim_within_another_is_found_by_its_pointer() -> None:
    scope = a_scope()
    scope["protocolMappers"][0]["config"]["claim.name"] = "ext.comanda"

    principal = await verified(issued(scope, ATTRIBUTE), "/ext/comanda")

    assert principal.may("la-piazza", frozenset({Role.TILL}))


async def test_roles_of_keycloaks_own_grant_nothing_in_a_restaurant() -> None:
    principal = await verified(issued(a_scope(), ATTRIBUTE), "/resource_access/comanda")

    assert not principal.may("la-piazza", frozenset(Role))


async def test_an_attribute_that_is_mapped_as_text_is_refused() -> None:
    scope = a_scope()
    scope["protocolMappers"][0]["config"]["jsonType.label"] = "String"

    with pytest.raises(InvalidToken) as refused:
        await verified(issued(scope, ATTRIBUTE))

    assert refused.value.reason is Reason.MALFORMED


async def test_a_token_of_a_client_without_the_header_type_is_refused() -> None:
    with pytest.raises(InvalidToken) as refused:
        await verified(issued(a_scope(), ATTRIBUTE), type_="JWT")

    assert refused.value.reason is Reason.WRONG_TYPE


async def test_a_token_for_the_account_console_alone_is_refused() -> None:
    scope = a_scope()
    scope["protocolMappers"].pop()

    with pytest.raises(InvalidToken) as refused:
        await verified(issued(scope, ATTRIBUTE))

    assert refused.value.reason is Reason.WRONG_AUDIENCE
