"""What makes events of values as fastavro decodes them: JSON values, and structs of the fields that rules use.

For each schema and each struct type Python functions are written. They convert only what is wanted; for a part that is
what it should be already, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.formats.avro.types import AvroType
from worker.formats.avro.values import converter_of
from worker.formats.avro.walk import every_type
from worker.formats.wanted import WHOLE, Wanted

Converter = Callable[[Any], Any]

_OBJECTS = frozenset({"record", "map"})
_JSON_TYPES: dict[str, type] = {
    **dict.fromkeys(_OBJECTS, dict),
    "array": list,
    "null": type(None),
    "boolean": bool,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
}
"""The JSON type of values that are not converted; all others are text."""


def is_told(type_: AvroType) -> bool:
    """Whether it must be known which branch of a union a value is of: some are converted, and others are there too.

    `stripped` then puts a record of its own around each branch, which adds no bytes.
    """
    others = [each for each in type_.inner if each.kind != "null"]
    return (
        type_.kind == "union"
        and len(others) > 1
        and any(converter_of(each) or each.kind in {"record", "map", "array"} for each in others)
    )


def _is_converted(type_: AvroType) -> bool:
    return any(converter_of(each) or is_told(each) for each in every_type(type_))


def converter(type_: AvroType, wanted: Wanted) -> Converter | None:
    """Make the function that makes what is wanted of a decoded value; None if it is that already."""
    writer = _Writer()
    name = writer.function(type_, wanted)
    return None if name is None else writer.build()[name]


class _Writer:
    """Writes functions, one for each type and what is wanted of it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._namespace: dict[str, Any] = {}
        self._names: dict[tuple[int, int], str] = {}

    def build(self) -> dict[str, Converter]:
        source = "\n".join(self._lines)
        exec(compile(source, "<converters of an Avro schema>", "exec"), self._namespace)  # noqa: S102 - ours
        return self._namespace

    def function(self, type_: AvroType, wanted: Wanted) -> str | None:
        """The name of the function that converts values of a type; None if they need not be converted."""
        if type_.kind == "union":
            return self._union(type_, wanted)
        json_type = str if converter_of(type_) else _JSON_TYPES.get(type_.kind, str)
        if wanted.accepts is not None and json_type not in wanted.accepts:
            return self._constant(_refuse_event if wanted.event else _refuse_type)
        if own := converter_of(type_):
            return self._constant(own)
        narrow = wanted if type_.kind in _OBJECTS and wanted.made else WHOLE
        if type_.kind == "array" and wanted.items is not None:
            narrow = wanted
        if narrow.whole and not _is_converted(type_):
            return None
        known = self._names.get((id(type_), id(narrow)))
        if known is None:
            known = self._names[id(type_), id(narrow)] = f"convert_{len(self._names)}"
            body = list(self._body(type_, narrow))
            self._lines += [f"def {known}(value):", *(f"    {line}" for line in body)]
        return known

    def _body(self, type_: AvroType, wanted: Wanted) -> Iterator[str]:
        match type_.kind:
            case "array":
                item = self._call(type_.inner[0], wanted.items or WHOLE, "item")
                yield f"return [{item} for item in value]"
            case "map" if wanted.made is None:
                yield f"return {{key: {self._call(type_.inner[0], WHOLE, 'item')} for key, item in value.items()}}"
            case "record" if wanted.made is None:
                for name, each in type_.fields:
                    place = f"value[{name!r}]"
                    if (converted := self._call(each, WHOLE, place)) != place:
                        yield f"{place} = {converted}"
                yield "return value"
            case "record":
                fields = dict(type_.fields)
                given = [
                    self._call(fields[name], each, f"value[{name!r}]") if name in fields else "None"
                    for name, each in wanted.fields.items()
                ]
                yield f"return {self._constant(wanted.made)}({', '.join(given)})"
            case _:
                given = [
                    f"None if (item := value.get({name!r})) is None else {self._call(type_.inner[0], each, 'item')}"
                    for name, each in wanted.fields.items()
                ]
                yield f"return {self._constant(wanted.made)}({', '.join(given)})"

    def _call(self, type_: AvroType, wanted: Wanted, value: str) -> str:
        """The Python expression that converts the value of another one."""
        name = self.function(type_, wanted)
        return value if name is None else f"{name}({value})"

    def _union(self, type_: AvroType, wanted: Wanted) -> str | None:
        """The function for a union: by its branch, if that is told, else for its only branch that is not null."""
        others = [each for each in type_.inner if each.kind != "null"]
        null = AvroType("null") if len(others) < len(type_.inner) else None
        of_null = self.function(null, wanted) if null is not None else None
        branches = [None if each.kind == "null" else self.function(each, wanted) for each in type_.inner]
        if of_null is None and not any(branches) and not is_told(type_):
            return None
        name = f"convert_union_{len(self._lines)}"
        self._lines.append(f"def {name}(value):")
        self._lines.append("    if value is None:")
        self._lines.append(f"        return {of_null}(value)" if of_null else "        return None")
        if is_told(type_):
            self._lines.append("    ((branch, value),) = value.items()")
            for index, each in enumerate(branches):
                if each is not None:
                    self._lines.append(f"    if branch == {str(index)!r}:")
                    self._lines.append(f"        return {each}(value)")
            self._lines.append("    return value")
        else:
            only = next((each for each in branches if each), None)
            self._lines.append(f"    return {only}(value)" if only else "    return value")
        return name

    def _constant(self, value: object) -> str:
        name = f"constant_{len(self._namespace)}"
        self._namespace[name] = value
        return name


def _refuse_event(_value: Any) -> NoReturn:
    raise Rejected(Stage.DECODE, "NOT_AN_OBJECT", "The value is Avro, but not an object.")


def _refuse_type(_value: Any) -> NoReturn:
    raise Rejected(Stage.DECODE, "INVALID_AVRO", "A field has a type that was not expected.")
