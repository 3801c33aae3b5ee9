"""Every instant that is answered is written in one format, so that texts sort as times do."""

import re
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, TypeAdapter
from query.api.http.responses import as_json
from sqlmodel import SQLModel

from tests.support.openapi import APPS, Json, document_of

WRITTEN = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"')
ON_THE_SECOND = datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
PACKAGES = ("comanda_contracts", "service_kit", "ordering", "serving", "query")
INSTANTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31))  # noqa: DTZ001


@given(st.lists(INSTANTS, min_size=2))
def test_querys_instants_sort_as_texts(instants: list[datetime]) -> None:
    """MongoDB gives them without a zone."""
    written = [as_json({"at": each, "of": [each.replace(tzinfo=UTC)]}) for each in instants]

    assert all(len(WRITTEN.findall(each.decode())) == 2 for each in written)
    assert sorted(written) == [
        as_json({"at": each, "of": [each.replace(tzinfo=UTC)]}) for each in sorted(instants)
    ]


def models(ground: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for model in ground.__subclasses__():
        if model.__module__.partition(".")[0] in PACKAGES:
            yield model
        yield from models(model)


def instants_of(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The fields that hold a time, with their types as they are written."""
    hints = typing.get_type_hints(model, include_extras=True)
    for name in model.model_fields:
        if {datetime, AwareDatetime} & set(_types_in(hints[name])):
            yield name, hints[name]


def _types_in(hint: Any) -> Iterator[Any]:
    if isinstance(hint, type):
        yield hint
    for each in typing.get_args(hint):
        yield from _types_in(each)


def test_every_model_writes_its_instants_so() -> None:
    """But for parameters, which are only read, and rows, which only PostgreSQL does."""
    for service in APPS:
        document_of(service)  # what is answered is imported then
    found = {
        f"{model.__name__}.{name}": TypeAdapter(hint).dump_json(ON_THE_SECOND).decode()
        for model in models()
        if not (issubclass(model, SQLModel) or model.__module__.endswith(".filters"))
        for name, hint in instants_of(model)
    }

    assert {"Order.placed_at", "DeadLetter.since"} <= found.keys()
    assert {name: text for name, text in found.items() if not WRITTEN.fullmatch(text)} == {}


@pytest.mark.parametrize("service", APPS)
def test_every_example_writes_its_instants_so(service: str) -> None:
    odd = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
    texts = [text for text in _answered(document_of(service)) if odd.match(text)]

    assert texts
    assert [text for text in texts if not WRITTEN.fullmatch(f'"{text}"')] == []


def _answered(document: Json) -> Iterator[str]:
    """Every text in an example of an answer that is JSON."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                yield from _texts(
                    answer.get("content", {}).get("application/json", {}).get("examples")
                )


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for each in inside:
        yield from _texts(each)
