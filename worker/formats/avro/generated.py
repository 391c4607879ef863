"""Writes a Python function that decodes the values of one schema to what one mapping wants of them.

    def decode(value):
        at, size = 5, len(value)
        try:
            n = value[at]
            at += 1
            if n & 129:  # more than one byte, or negative
                n, at = natural(value, at - 1)
            end = at + (n >> 1)
            v1 = value[at:end].decode()
            at = end
            ...
            if at != size:
                refuse_length(size - at)
            return Event(v1, v2)
        except bad_bytes:
            refuse_bytes(value, at)

Fields that no rule reads are passed over. `at` never moves back, so a text or number that ends behind the value is
noticed at the end at the latest. Text that is passed over is not decoded, and so may be no UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from worker.formats.avro import reading
from worker.formats.avro.schema_facts import has_empty_items, is_empty, may_be_too_deep
from worker.formats.avro.types import AvroType
from worker.formats.avro.values import OutOfRangeError, converter_of
from worker.formats.json_values import MAX_DEPTH
from worker.formats.python_source import PythonSource
from worker.formats.wanted import WHOLE, Wanted

BAD_BYTES = (IndexError, struct.error)

NOTHING = Wanted(accepts=frozenset({type(None)}))
"""What is wanted of a value that is passed over; compared by identity."""

MOST_NESTED = 6
"""How many types are written inside one another; a deeper one is a function of its own. Python allows 20 blocks."""

_JSON_TYPES: dict[str, type] = {
    **dict.fromkeys(("record", "map"), dict),
    "array": list,
    "null": type(None),
    "boolean": bool,
    **dict.fromkeys(("int", "long"), int),
    **dict.fromkeys(("float", "double"), float),
}
"""The JSON type of values that are not converted; all others are text."""

_COMPLEX = frozenset({"record", "array", "map", "union"})
_FIXED = {"boolean": 1, "float": 4, "double": 8, "null": 0}
"""The bytes of values that always have as many."""

_FLOAT, _DOUBLE = struct.Struct("<f").unpack_from, struct.Struct("<d").unpack_from
_FUNCTIONS: dict[str, object] = {
    "number": reading.number,
    "natural": reading.natural,
    "count": reading.count,
    "truth": reading.truth,
    "spend": reading.spend,
    "bad": reading.bad,
    "too_deep": reading.too_deep,
    "refuse_bytes": reading.refuse_bytes,
    "refuse_event": reading.refuse_event,
    "refuse_type": reading.refuse_type,
    "float_at": _FLOAT,
    "double_at": _DOUBLE,
    "refuse_length": reading.refuse_length,
    "refuse_text": reading.refuse_text,
    "refuse_value": reading.refuse_value,
    "bad_bytes": BAD_BYTES,
    "out_of_range": OutOfRangeError,
}


def decoder_of(type_: AvroType, wanted: Wanted, start: int) -> Callable[[bytes], Any]:
    """The function that decodes values of a type.

    Args:
        type_: of the values.
        wanted: what it returns.
        start: how many bytes stand before each value.
    """
    return _Source(type_).build(type_, wanted, start)


class _Source(PythonSource):
    """The source of one decoder, with the functions that it calls."""

    def __init__(self, type_: AvroType) -> None:
        super().__init__(_FUNCTIONS)
        self._deep = may_be_too_deep(type_)
        self._empty_items = has_empty_items(type_)
        self._functions: dict[tuple[int, int], str] = {}
        self._waiting: list[tuple[str, AvroType, Wanted]] = []
        self._inlined: set[int] = set()
        self._nested = 0
        self._level = 0

    def build(self, type_: AvroType, wanted: Wanted, start: int) -> Callable[[bytes], Any]:
        """Write and compile it."""
        with self.block("def decode(value):"):
            self.line(f"at, size = {start}, len(value)")
            if self._deep:
                self.line("depth = 0")
            if self._empty_items:
                self.line(f"budget = [{reading.MAX_EMPTY_ITEMS}]")
            with self.block("try:"):
                result = self._read(type_, wanted)
                with self.block("if at != size:"):
                    self.line("refuse_length(size - at)")
                self.line(f"return {result}")
            self.lines("""
                except UnicodeDecodeError:
                    refuse_text()
                except bad_bytes:
                    refuse_bytes(value, at)
                except out_of_range as error:
                    refuse_value(error)
                """)
        while self._waiting:
            self._function(*self._waiting.pop())
        return self.compiled("decode", "<decoder of an Avro schema>")

    # Functions of their own

    def _arguments(self, depth: str) -> str:
        return f"value, at, size{depth if self._deep else ''}{', budget' if self._empty_items else ''}"

    def _function(self, name: str, type_: AvroType, wanted: Wanted) -> None:
        self._nested = self._level = 0
        with self.block(f"def {name}({self._arguments(', depth')}):"):
            self.line(f"return {self._inline(type_, wanted)}, at")

    def _call(self, type_: AvroType, wanted: Wanted) -> str:
        name = self._functions.get((id(type_), id(wanted)))
        if name is None:
            name = self._functions[id(type_), id(wanted)] = self.name("read")
            self._waiting.append((name, type_, wanted))
        local = self.name("v")
        self.line(f"{local}, at = {name}({self._arguments(f', depth + {self._level}')})")
        return local

    # Values

    def _read(self, type_: AvroType, wanted: Wanted) -> str:
        """Write the reading of a value; returns the Python expression for what is wanted of it."""
        is_named = type_.kind == "record" and id(type_) in self._inlined
        if is_named or (self._nested >= MOST_NESTED and type_.kind in _COMPLEX):
            return self._call(type_, wanted)
        if type_.kind == "record":
            self._inlined.add(id(type_))
        return self._inline(type_, wanted)

    def _inline(self, type_: AvroType, wanted: Wanted) -> str:
        if wanted is not NOTHING and wanted.accepts is not None and type_.kind != "union":
            json_type = str if converter_of(type_) else _JSON_TYPES.get(type_.kind, str)
            if json_type not in wanted.accepts:
                self.line("refuse_event()" if wanted.event else "refuse_type()")
                return "None"
        if type_.kind not in _COMPLEX:
            return self._scalar(type_, wanted)
        self._nested += 1
        try:
            match type_.kind:
                case "record":
                    return self._contained(lambda: self._record(type_, wanted))
                case "union":
                    return self._union(type_, wanted)
            return self._contained(lambda: self._items(type_, wanted))
        finally:
            self._nested -= 1

    def _contained(self, read: Callable[[], str]) -> str:
        """What is inside an object or list."""
        self._level += 1
        if self._deep:
            with self.block(f"if depth > {MAX_DEPTH - self._level}:"):
                self.line("too_deep()")
        found = read()
        self._level -= 1
        return found

    def _scalar(self, type_: AvroType, wanted: Wanted) -> str:
        kind = type_.kind
        if wanted is NOTHING:
            self._pass_over(type_)
            return "None"
        if kind == "null":
            return "None"
        local = self.name("v")
        match kind:
            case "int" | "long":
                self._number("number")
                found = "(n >> 1) ^ -(n & 1)"
            case "enum":
                self._number("natural")
                found = f"{self.constant(tuple(type_.symbols))}[n >> 1]"
            case "boolean":
                found = "truth(value[at])"
            case "float" | "double":
                found = f"{kind}_at(value, at)[0]"
            case _:
                return self._text(type_, local)
        own = converter_of(type_)
        self.line(f"{local} = {self.constant(own)}({found})" if own else f"{local} = {found}")
        if size := _FIXED.get(kind):
            self.line(f"at += {size}")
        return local

    def _text(self, type_: AvroType, local: str) -> str:
        """Text or bytes, as long as they say or as their type says."""
        if type_.kind == "fixed":
            self.line(f"end = at + {type_.size}")
        else:
            self._number("natural")
            self.line("end = at + (n >> 1)")
        if type_.kind == "string":
            self.line(f"{local} = value[at:end].decode()")
        else:
            with self.block("if end > size:"):
                self.line("bad()")
            self.line(f"{local} = {self.constant(converter_of(type_))}(value[at:end])")
        self.line("at = end")
        return local

    def _number(self, how: str) -> None:
        """Read a number to `n`; most have one byte."""
        self.lines(f"""
            n = value[at]
            at += 1
            if {"n > 127" if how == "number" else "n & 129"}:
                n, at = {how}(value, at - 1)
            """)

    def _pass_over(self, type_: AvroType) -> None:
        if type_.kind in {"int", "long", "enum"}:
            self._number("number")
        elif type_.kind in {"string", "bytes"}:
            self._number("natural")
            self.line("at += n >> 1")
        elif size := _FIXED.get(type_.kind, type_.size):
            self.line(f"at += {size}")

    def _record(self, type_: AvroType, wanted: Wanted) -> str:
        nothing = wanted is NOTHING
        is_narrow = wanted.made is not None
        found = {}
        for name, each in type_.fields:
            inner = NOTHING if nothing else wanted.fields.get(name, NOTHING) if is_narrow else WHOLE
            found[name] = self._read(each, inner)
        if nothing:
            return "None"
        local = self.name("v")
        if is_narrow:
            given = [found.get(name, "None") for name in wanted.fields]
            self.line(f"{local} = {self.constant(wanted.made)}({', '.join(given)})")
        else:
            members = ", ".join(f"{name!r}: {each}" for name, each in found.items())
            self.line(f"{local} = {{{members}}}")
        return local

    def _items(self, type_: AvroType, wanted: Wanted) -> str:
        """A list or map, which is read in blocks."""
        is_map, nothing = type_.kind == "map", wanted is NOTHING
        made = wanted.made if is_map else None
        local = "None" if nothing else self.name("v")
        if not nothing:
            self.line(f"{local} = {'{}' if is_map else '[]'}")
        with self.block("while True:"):
            self._number("count")
            with self.block("if not n:"):
                self.line("break")
            self._limit_items(type_)
            with self.block("for _ in range(n >> 1):"):
                self._item(type_, NOTHING if nothing else wanted, local)
        if made is None or nothing:
            return local
        given = [f"{local}.get({name!r})" for name in wanted.fields]
        struct = self.name("v")
        self.line(f"{struct} = {self.constant(made)}({', '.join(given)})")
        return struct

    def _limit_items(self, type_: AvroType) -> None:
        """Refuse more items than the bytes that are left can be."""
        if type_.kind == "array" and is_empty(type_.inner[0]):
            self.line("spend(budget, n >> 1)")
        else:
            with self.block("if n >> 1 > size - at:"):
                self.line("bad()")

    def _item(self, type_: AvroType, wanted: Wanted, into: str) -> None:
        inner = NOTHING if wanted is NOTHING else (wanted.items or WHOLE)
        if type_.kind == "array":
            item = self._read(type_.inner[0], inner)
            if wanted is not NOTHING:
                self.line(f"{into}.append({item})")
            return
        if wanted is NOTHING:
            self._pass_over(AvroType("string"))
            self._read(type_.inner[0], NOTHING)
        elif wanted.made is None:
            key = self._text(AvroType("string"), self.name("v"))
            self.line(f"{into}[{key}] = {self._read(type_.inner[0], WHOLE)}")
        else:
            self._fields_of_map(type_.inner[0], wanted, into)

    def _fields_of_map(self, inner: AvroType, wanted: Wanted, into: str) -> None:
        """An item of a map of which only some are wanted: each in its own way."""
        key = self._text(AvroType("string"), self.name("v"))
        keyword = "if"
        for name, each in wanted.fields.items():
            with self.block(f"{keyword} {key} == {name!r}:"):
                self.line(f"{into}[{key}] = {self._read(inner, each)}")
            keyword = "elif"
        if not wanted.fields:
            self._read(inner, NOTHING)
            return
        with self.block("else:"):
            self._read(inner, NOTHING)

    def _union(self, type_: AvroType, wanted: Wanted) -> str:
        self._number("natural")
        local = "None" if wanted is NOTHING else self.name("v")
        keyword = "if"
        for index, each in enumerate(type_.inner):
            with self.block(f"{keyword} n == {2 * index}:"):
                found = self._read(each, wanted)
                if wanted is not NOTHING:
                    self.line(f"{local} = {found}")
            keyword = "elif"
        if type_.inner:
            with self.block("else:"):
                self.line("bad()")
        else:
            self.line("bad()")
        return local
