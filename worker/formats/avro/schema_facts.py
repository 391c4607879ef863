"""What a schema allows its values to be: how deep they nest, and whether items may have no bytes."""

from __future__ import annotations

from worker.formats.avro.types import AvroType
from worker.formats.json_values import MAX_DEPTH

_CONTAINERS = frozenset({"record", "array", "map"})


def may_be_too_deep(type_: AvroType) -> bool:
    """Whether values of a type may nest deeper than `MAX_DEPTH`: those of a recursive type, above all."""
    return _deepest(type_, {}) > MAX_DEPTH


def has_empty_items(type_: AvroType) -> bool:
    """Whether a list in a value may have items without bytes, so that it may be longer than the value."""
    return any(each.kind == "array" and is_empty(each.inner[0]) for each in _every_type(type_))


def is_empty(type_: AvroType, seen: frozenset[int] = frozenset()) -> bool:
    """Whether values of a type may have no bytes."""
    if type_.kind == "record":
        return id(type_) in seen or all(is_empty(each, seen | {id(type_)}) for each in type_.parts())
    return type_.kind == "null" or (type_.kind == "fixed" and not type_.size)


def _every_type(type_: AvroType) -> list[AvroType]:
    """A type and all of its parts, each once."""
    found: dict[int, AvroType] = {}
    waiting = [type_]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting.extend(each.parts())
    return list(found.values())


def _deepest(type_: AvroType, known: dict[int, int | None]) -> int:
    """How deep objects and lists of a type nest; more than `MAX_DEPTH` for a recursive one."""
    depth = known.get(id(type_), -1)
    if depth is None:
        return MAX_DEPTH + 1
    if depth >= 0:
        return depth
    known[id(type_)] = None
    inner = max((_deepest(each, known) for each in type_.parts()), default=0)
    found = min(inner + (type_.kind in _CONTAINERS), MAX_DEPTH + 1)
    known[id(type_)] = found
    return found
