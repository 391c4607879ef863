"""What an Avro schema says of values: its `Description`."""

from __future__ import annotations

from worker.formats.avro.types import AvroType
from worker.formats.description import (
    BOOLEAN,
    DATE,
    DECIMAL,
    DURATION,
    NUMBER,
    OBJECT,
    TEXT,
    TIMESTAMP,
    Branch,
    Description,
    either,
    enum_of,
    list_of,
    map_of,
    of,
    text,
)

_LOGICAL = {
    "decimal": DECIMAL,
    "date": DATE,
    "duration": DURATION,
    "uuid": of(TEXT),
    "time": text("10:00:00.000"),
    "timestamp": TIMESTAMP,
    "local-timestamp": text("2026-11-21T10:00:00.000"),
}
"""Values of logical types, without the unit at the end of the type's name."""

_UNITS = ("-millis", "-micros", "-nanos")
_KINDS = {"boolean": BOOLEAN, "string": TEXT, "bytes": TEXT, "fixed": TEXT}


def describe(type_: AvroType) -> Description:
    """What values of this type are as JSON values."""
    return _described(type_, {})


def _described(type_: AvroType, known: dict[int, Description]) -> Description:
    inner = [_described(each, known) for each in type_.inner]
    if type_.logical is not None:
        return _LOGICAL[_without_unit(type_.logical)]
    match type_.kind:
        case "record":
            return _record(type_, known)
        case "enum":
            return enum_of(type_.symbols)
        case "array":
            return list_of(inner[0])
        case "map":
            return map_of(inner[0])
    return either(inner) if type_.kind in {"union", "null"} else of(_KINDS.get(type_.kind, NUMBER))


def _record(type_: AvroType, known: dict[int, Description]) -> Description:
    if id(type_) not in known:
        branch = Branch(OBJECT)
        known[id(type_)] = Description((branch,))
        branch.fields.update((name, _described(inner, known)) for name, inner in type_.fields)
    return known[id(type_)]


def _without_unit(logical: str) -> str:
    return next((logical.removesuffix(unit) for unit in _UNITS if logical.endswith(unit)), logical)
