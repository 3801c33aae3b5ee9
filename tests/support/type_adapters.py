"""What FastAPI makes of a parameter or a body is made once for all applications of the tests.

A test that asks over HTTP has an application of its own, and each has the same routes. Most of the
time that one takes is that of the validators of its fields, which have no state.
"""

from collections.abc import Hashable
from typing import Any, get_args

from fastapi._compat import v2
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

_made: dict[Hashable, TypeAdapter[Any]] = {}


def make_each_once() -> None:
    """Have FastAPI look for the validator of an equal field before it makes one."""
    v2.TypeAdapter = _adapter_of  # type: ignore[assignment, attr-defined]


def _adapter_of(annotated: Any, **settings: Any) -> TypeAdapter[Any]:
    key = _key_of(annotated, settings)
    if key is None:
        return TypeAdapter(annotated, **settings)
    if key not in _made:
        _made[key] = TypeAdapter(annotated, **settings)
    return _made[key]


def _key_of(annotated: Any, settings: dict[str, Any]) -> Hashable | None:
    """Equal for equal fields. None for one whose type has no such key."""
    parts = [
        tuple(map(_hashable, each.asdict()["attributes"].items()))
        if isinstance(each, FieldInfo)
        else each
        for each in get_args(annotated)
    ]
    key = (*parts, *map(_hashable, settings.items()))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _hashable(item: tuple[str, Any]) -> Hashable:
    """A setting with its kind, since 1 and True are equal; of examples and such, what they say."""
    name, value = item
    return name, type(value), value if isinstance(value, Hashable) else repr(value)
