"""The garbage collector rests while a program's parts are imported."""

import gc
from collections.abc import Iterator

import pytest
from service_kit.runtime.imports import uncollected


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def test_nothing_is_collected_while_parts_are_imported_nor_are_they_looked_at_later() -> None:
    gc.unfreeze()

    with uncollected():
        was_enabled = gc.isenabled()
        imported = [object()]

    assert not was_enabled
    assert gc.isenabled()
    assert not any(each is imported for each in gc.get_objects())


def test_the_collector_works_on_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError

    assert gc.isenabled()
