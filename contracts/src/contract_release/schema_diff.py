"""The differences between two JSON Schemas, and whether each lets fewer or more values fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

Schema = dict[str, Any]

ANNOTATIONS = {"$defs", "$id", "$schema", "description", "discriminator", "examples", "title"}
"""Keywords that say nothing about which values fit."""
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
COMPARED = {
    *ANNOTATIONS,
    *LOWER_BOUNDS,
    *UPPER_BOUNDS,
    *("type", "const", "enum", "properties", "required", "items", "additionalProperties"),
}


class Effect(Flag):
    """What a change does to the values that fit; a changed format does both."""

    FEWER = auto()
    """Some value that used to fit does not any more."""
    MORE = auto()
    """Some value fits that did not before."""
    BOTH = FEWER | MORE


@dataclass(frozen=True, slots=True)
class Change:
    """One change at a path such as `order.rounds[].voided`; the path of the whole is empty."""

    path: str
    description: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.path or 'the whole'} {self.description}"


def schema_changes(old: Schema, new: Schema) -> list[Change]:
    """Every change but additions of optional fields and changes of words."""
    return list(_Comparison(old, new).between(old, new, ""))


class _Comparison:
    """Two whole schemas, to look `$ref`s up in."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def between(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        olds, news = _alternatives(old, self._old), _alternatives(new, self._new)
        yield from _default(old, new, path)
        for key in olds.keys() | news.keys():
            if key in olds and key in news:
                yield from self._alternative(olds[key], news[key], path)
            elif key == INTEGER and NUMBER in news and NUMBER not in olds:
                yield Change(path, "may now be a fraction", Effect.MORE)
            elif key == INTEGER and NUMBER in olds and NUMBER not in news:
                yield Change(path, "may no longer be a fraction", Effect.FEWER)
            elif key == NUMBER and (INTEGER in olds or INTEGER in news):
                continue  # the integer's key says it
            elif key in olds:
                yield Change(path, f"may no longer be {key[0]}", Effect.FEWER)
            else:
                yield Change(path, f"may now be {key[0]}", Effect.MORE)

    def _alternative(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        yield from _enumerations(old, new, path)
        yield from _bounds(old, new, path)
        yield from _other_keywords(old, new, path)
        if "properties" in old or "properties" in new:
            yield from self._object(old, new, path)
        if "items" in old or "items" in new:
            yield from self.between(old.get("items", {}), new.get("items", {}), f"{path}[]")

    def _object(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        closed = new.get("additionalProperties") is False
        for name in before.keys() - after.keys():
            instead = _new_name(before[name], before, after)
            what = f"was removed{instead}{', and is now refused' if closed else ''}"
            yield Change(_joined(path, name), what, Effect.FEWER if closed else Effect.MORE)
        for name in before.keys() & after.keys():
            yield from self.between(before[name], after[name], _joined(path, name))
        yield from _required(old, new, path)
        yield from _additional_properties(old, new, path)


Key = tuple[str, ...]
"""What tells the alternatives of a union apart: the type, and an object's constant fields."""
INTEGER: Key = ("integer",)
NUMBER: Key = ("number",)


def _alternatives(schema: Schema, whole: Schema) -> dict[Key, Schema]:
    """The members of a union by what tells them apart; a schema of one type is its only member."""
    if "$ref" in schema:
        return _alternatives(whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            members = [_alternatives(member, whole) for member in schema[union]]
            return {key: member for each in members for key, member in each.items()}
    types = schema.get("type", "anything")
    return {
        (each, *_constants(schema)): schema
        for each in ([types] if isinstance(types, str) else types)
    }


def _constants(schema: Schema) -> list[str]:
    fields = schema.get("properties", {}).items()
    return sorted(f"{name} {field['const']}" for name, field in fields if "const" in field)


def _default(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """Who leaves a field out, or finds it left out, means the default."""
    if "default" in old and old["default"] != new.get("default"):
        what = f"has another default: {new.get('default')!r}, not {old['default']!r}"
        yield Change(path, what, Effect.BOTH)


def _enumerations(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = _enumerated(old), _enumerated(new)
    if before is None and after is not None:
        yield Change(path, f"may only be one of {sorted(after)}", Effect.FEWER)
    if before is not None and after is None:
        yield Change(path, f"may be other than {sorted(before)}", Effect.MORE)
    if before is not None and after is not None:
        for value in sorted(before - after):
            yield Change(path, f"can no longer be {value!r}", Effect.FEWER)
        for value in sorted(after - before):
            yield Change(path, f"can now be {value!r}", Effect.MORE)


def _enumerated(schema: Schema) -> set[Any] | None:
    return (
        {schema["const"]}
        if "const" in schema
        else set(schema["enum"])
        if "enum" in schema
        else None
    )


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    for keyword in (*LOWER_BOUNDS, *UPPER_BOUNDS):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            is_greater = before is None or (after is not None and after > before)
            is_tighter = after is not None and (
                before is None or is_greater == (keyword in LOWER_BOUNDS)
            )
            what = f"has another {keyword}: {after}, not {before}"
            yield Change(path, what, Effect.FEWER if is_tighter else Effect.MORE)


def _other_keywords(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """Keywords whose values have no order, such as `format` and `pattern`."""
    for keyword in sorted((old.keys() | new.keys()) - COMPARED - {"default"}):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            effect = (
                Effect.FEWER if before is None else Effect.MORE if after is None else Effect.BOTH
            )
            yield Change(path, f"has another {keyword}: {after}, not {before}", effect)


def _new_name(schema: Schema, before: Schema, after: Schema) -> str:
    """A guess at the new name, for the reader of the message."""
    same = [name for name in after.keys() - before.keys() if _bare(after[name]) == _bare(schema)]
    return f" (now {same[0]!r}?)" if len(same) == 1 else ""


def _bare(schema: Schema) -> Schema:
    return {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}


def _required(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = set(old.get("required", [])), set(new.get("required", []))
    for name in after - before:
        what = "is now required" if name in old.get("properties", {}) else "is new, and required"
        yield Change(_joined(path, name), what, Effect.FEWER)
    for name in (before - after) & new.get("properties", {}).keys():
        yield Change(_joined(path, name), "may now be missing", Effect.MORE)


def _additional_properties(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = (each.get("additionalProperties", True) for each in (old, new))
    if before != after:
        effect = Effect.FEWER if after is False else Effect.MORE if after is True else Effect.BOTH
        yield Change(path, "has another rule for fields that are not known", effect)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
