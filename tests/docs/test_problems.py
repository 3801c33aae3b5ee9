"""Every code that a service can answer with has a page that says why, and what to do."""

import ast
import re
from collections.abc import Iterator

import pytest
from service_kit.http.problems import ProblemError, name_types_below

from tests.docs.documents import ROOT
from tests.support.openapi import APPS, document_of

FOLDER = ROOT / "docs" / "problems"
PAGES = {page.stem: page.read_text() for page in FOLDER.glob("*.md") if page.stem != "README"}
PAGE = re.compile(r"# (\S+)\n\nStatus: .+\.\n\n## Why\n\n.+\n\n## What to do\n\n.+\n", re.DOTALL)


def codes_in_sources() -> set[str]:
    """What is assigned to a `code`, and what problems are made with."""
    sources = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("shared/src/**/*.py")]
    return {code for each in sources for code in _codes_in(ast.parse(each.read_text()))}


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _names(node) & {"code", "FRAMEWORK_CODES"}:
            yield from _texts(node.value)
        elif isinstance(node, ast.Call) and _name(node.func) == "ProblemError":
            yield from _texts(node.args[1])


def _names(assignment: ast.Assign) -> set[str]:
    return {_name(each) for each in assignment.targets}


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _texts(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_code_has_its_page_and_every_page_its_code() -> None:
    assert PAGES.keys() == codes_in_sources()


@pytest.mark.parametrize("service", APPS)
def test_no_document_has_a_code_that_the_sources_seem_not_to_have(service: str) -> None:
    code = document_of(service)["components"]["schemas"]["Problem"]["properties"]["code"]

    assert set(code["x-extensible-enum"]) <= PAGES.keys()


@pytest.mark.parametrize("code", PAGES)
def test_a_page_says_why_and_what_to_do(code: str) -> None:
    page = PAGE.fullmatch(PAGES[code])

    assert page is not None
    assert page[1] == code
    assert f"| [{code}]({code}.md) |" in (FOLDER / "README.md").read_text()


def test_the_type_of_a_problem_is_its_page_where_those_are_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service_kit.http.problems._ProblemTypes.base", "urn:comanda:problem:")
    problem = ProblemError(404, "unknown-order", "There is no such order.")

    name_types_below("")
    assert problem.details()["type"] == "urn:comanda:problem:unknown-order"

    name_types_below("https://docs.test/problems")
    assert problem.details()["type"] == "https://docs.test/problems/unknown-order"
