"""The committed documents are current, and break no client of the last release."""

import copy
import json
from collections.abc import Callable
from importlib.metadata import version

import pytest
from contract_release.api_gate import broken_clients

from tests.apis.documents import FOLDER, generated, released
from tests.support.openapi import APPS, Json, document_of

ORDERS = "/v1/restaurants/{restaurant}/orders"


def test_the_committed_documents_are_current() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text() != text]

    assert stale == [], "run `make schemas`"
    assert {each.stem for each in FOLDER.glob("*.json")} == APPS.keys()


@pytest.mark.parametrize("service", APPS)
def test_no_client_of_the_last_release_is_broken(service: str) -> None:
    last = json.loads((released() / f"{service}.json").read_text())

    assert broken_clients(last, document_of(service)) == []


@pytest.mark.parametrize("service", APPS)
def test_a_document_has_the_version_of_the_release(service: str) -> None:
    assert document_of(service)["info"]["version"] == version(f"comanda-{service}")


def listing(document: Json) -> Json:
    operation: Json = document["paths"][ORDERS]["get"]
    return operation


def schema(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


def parameter(document: Json, name: str) -> Json:
    found: Json = next(each for each in listing(document)["parameters"] if each["name"] == name)
    return found


BREAKING: dict[str, tuple[Callable[[Json], object], str]] = {
    "a route": (lambda it: it["paths"].pop(ORDERS), "was removed"),
    "a name": (lambda it: listing(it).update(operationId="getOrders"), "is called getOrders"),
    "a role": (
        lambda it: listing(it)["security"][0]["token"].remove("reader"),
        "may no longer be asked by reader",
    ),
    "a parameter": (
        lambda it: listing(it)["parameters"].remove(parameter(it, "q")),
        "q is no longer taken",
    ),
    "a parameter that is required": (
        lambda it: parameter(it, "q").update(required=True),
        "q is now required",
    ),
    "a value": (
        lambda it: parameter(it, "status")["schema"]["items"]["enum"].remove("ready"),
        "can no longer be 'ready'",
    ),
    "a field": (lambda it: schema(it, "ListedOrder")["properties"].pop("total"), "was removed"),
    "a field that may be missing": (
        lambda it: schema(it, "ListedOrder")["required"].remove("total"),
        "may now be missing",
    ),
    "a type": (
        lambda it: schema(it, "ListedOrder")["properties"]["total"].update(type="string"),
        "may now be string",
    ),
    "a header": (lambda it: listing(it)["responses"]["200"]["headers"].pop("Link"), "has no Link"),
    "another success": (
        lambda it: listing(it)["responses"].update({"202": {"description": "later"}}),
        "may now answer 202",
    ),
    "another media type": (
        lambda it: listing(it)["responses"]["200"]["content"].update({"text/csv": {}}),
        "200 may now be text/csv",
    ),
    "an event": (
        lambda it: schema(it, "OrdersEvent")["discriminator"]["mapping"].pop("order"),
        "sends no order any more",
    ),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_breaks_a_client_is_refused(what: str) -> None:
    change, said = BREAKING[what]
    after = copy.deepcopy(document_of("query"))
    change(after)

    found = broken_clients(document_of("query"), after)

    assert any(said in each for each in found), found


@pytest.mark.parametrize("public", [[], [{"token": ["till"]}, {}]])
def test_what_needed_no_token_and_now_does_is_refused(public: list[Json]) -> None:
    before = copy.deepcopy(document_of("query"))
    listing(before)["security"] = public

    found = broken_clients(before, document_of("query"))

    assert any("now needs a token" in each for each in found), found
    assert broken_clients(document_of("query"), before) == []


def test_what_a_client_has_to_expect_breaks_nobody() -> None:
    after = copy.deepcopy(document_of("query"))
    after["paths"]["/v1/more"] = after["paths"][ORDERS]
    listing(after)["responses"]["304"] = {"description": "as before"}
    listing(after)["responses"]["409"] = {"description": "refused"}
    listing(after)["parameters"].append({"in": "query", "name": "more", "schema": {}})
    schema(after, "ListedOrder")["properties"]["more"] = {"type": "string"}
    schema(after, "ViewStatus")["x-extensible-enum"].append("more")
    schema(after, "OrdersEvent")["discriminator"]["mapping"]["more"] = "#/components/schemas/Menu"

    assert broken_clients(document_of("query"), after) == []
