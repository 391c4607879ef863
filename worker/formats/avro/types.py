"""An Avro schema as a tree of types, with all names resolved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from worker.formats.schemas import Schema

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


@dataclass(eq=False, slots=True)
class AvroType:
    """One type of a schema. A named type is the same object wherever it is used, so that a tree may be a cycle.

    Attributes:
        kind: one of `PRIMITIVES`, or `record`, `enum`, `fixed`, `array`, `map`, `union`.
        logical: the logical type; None if it has none, or one that is unknown or wrong, which Avro says to ignore.
        scale: of a decimal.
        size: of a `fixed`, in bytes.
        symbols: of an `enum`.
        fields: of a `record`: names and types.
        inner: the items of an `array`, the values of a `map`, the branches of a `union`.
    """

    kind: str
    logical: str | None = None
    scale: int = 0
    size: int = 0
    symbols: list[str] = field(default_factory=list)
    fields: list[tuple[str, AvroType]] = field(default_factory=list)
    inner: list[AvroType] = field(default_factory=list)

    def parts(self) -> Iterator[AvroType]:
        """The types of which this one is made."""
        yield from self.inner
        for _, each in self.fields:
            yield each


class InvalidSchemaError(ValueError):
    """The text is no Avro schema. The message says why, without quoting more than names."""


_LOGICAL = {
    "int": {"date", "time-millis"},
    "long": {
        "time-micros",
        *(f"{local}timestamp-{unit}" for local in ("", "local-") for unit in ("millis", "micros", "nanos")),
    },
    "bytes": {"decimal"},
    "fixed": {"decimal", "uuid", "duration"},
    "string": {"uuid"},
}
"""The logical types that are converted, by the types that may have them."""

_FIXED_SIZES = {"uuid": 16, "duration": 12}

MAX_SCALE = 10_000
"""The largest scale of a decimal (this program's own limit): each digit of it is a character of the text."""


def read_type(schema: Schema) -> AvroType:
    """Read a schema.

    Raises:
        InvalidSchemaError: it is none.
    """
    names: dict[str, AvroType] = {}
    _read_references(schema, names, set())
    return _Reader(names).read(_load(schema))


def _read_references(schema: Schema, names: dict[str, AvroType], done: set[int]) -> None:
    for reference in schema.references:
        if id(reference.schema) not in done:
            done.add(id(reference.schema))
            _read_references(reference.schema, names, done)
            _Reader(names).read(_load(reference.schema))


def _load(schema: Schema) -> Any:
    if schema.type not in {"AVRO", ""}:
        raise InvalidSchemaError(f"it is a {schema.type} schema")
    try:
        return json.loads(schema.text)
    except RecursionError:
        raise InvalidSchemaError("it nests too deep") from None
    except ValueError:
        if isinstance(schema.text, str) and schema.text.strip() in PRIMITIVES:
            return schema.text.strip()
        raise InvalidSchemaError("it is not JSON") from None


class _Reader:
    """Reads JSON into types, and adds the named ones to `names`."""

    def __init__(self, names: dict[str, AvroType]) -> None:
        self._names = names

    def read(self, given: Any) -> AvroType:
        try:
            return self._read(given, "")
        except RecursionError:
            raise InvalidSchemaError("it nests too deep") from None

    def _read(self, given: Any, space: str) -> AvroType:
        if isinstance(given, str):
            return self._named(given, space)
        if isinstance(given, list):
            return AvroType("union", inner=[self._read(each, space) for each in given])
        if not isinstance(given, dict):
            raise InvalidSchemaError("a type is neither a name, a list nor an object")
        return self._object(given, space)

    def _object(self, given: dict[str, Any], space: str) -> AvroType:
        kind = given.get("type")
        if not isinstance(kind, str):
            return self._read(kind, space)
        if kind in {"array", "map"}:
            inner = given.get("items" if kind == "array" else "values")
            return AvroType(kind, inner=[self._read(inner, space)])
        if kind in PRIMITIVES:
            return _with_logical(AvroType(kind), given)
        if kind in {"record", "error", "enum", "fixed"}:
            return self._definition(kind, given, space)
        return self._read(kind, space)

    def _named(self, name: str, space: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name)
        found = self._names.get(f"{space}.{name}" if space and "." not in name else name) or self._names.get(
            name
        )
        if found is None:
            raise InvalidSchemaError(f"it uses the type '{name}', which it does not define")
        return found

    def _definition(self, kind: str, given: dict[str, Any], space: str) -> AvroType:
        name = given.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidSchemaError(f"a type '{kind}' has no name")
        if "." not in name:
            own = given.get("namespace", space)
            name = f"{own}.{name}" if isinstance(own, str) and own else name
        inner_space = name.rpartition(".")[0]
        made = self._names[name] = AvroType("record" if kind == "error" else kind)
        if kind == "enum":
            made.symbols = _symbols(given, name)
        elif kind == "fixed":
            made.size = _size(given, name)
            _with_logical(made, given)
        else:
            made.fields = list(self._fields(given, name, inner_space))
        return made

    def _fields(self, given: dict[str, Any], name: str, space: str) -> Iterator[tuple[str, AvroType]]:
        fields = given.get("fields")
        if not isinstance(fields, list):
            raise InvalidSchemaError(f"the record '{name}' has no fields")
        for each in fields:
            if not isinstance(each, dict) or not isinstance(each.get("name"), str):
                raise InvalidSchemaError(f"a field of the record '{name}' has no name")
            type_ = self._read(each.get("type"), space)
            # Some producers write the logical type beside the type instead of in it; Avro ignores it there.
            yield each["name"], type_


def _symbols(given: dict[str, Any], name: str) -> list[str]:
    symbols = given.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
        raise InvalidSchemaError(f"the enum '{name}' has no symbols")
    return symbols


def _size(given: dict[str, Any], name: str) -> int:
    size = given.get("size")
    if type(size) is not int or size < 0:
        raise InvalidSchemaError(f"the fixed '{name}' has no size")
    return size


def _with_logical(made: AvroType, given: dict[str, Any]) -> AvroType:
    """Set the logical type, unless it is one that Avro says to ignore."""
    logical = given.get("logicalType")
    if not isinstance(logical, str) or logical not in _LOGICAL.get(made.kind, ()):
        return made
    if _FIXED_SIZES.get(logical, made.size) != made.size and made.kind == "fixed":
        return made
    if logical == "decimal":
        scale, precision = given.get("scale", 0), given.get("precision")
        if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision:
            return made
        if scale > MAX_SCALE:
            raise InvalidSchemaError(f"a decimal has a scale above {MAX_SCALE}")
        made.scale = scale
    made.logical = logical
    return made
