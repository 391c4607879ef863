"""Python source that turns the bytes of a message into an event: `values.decode`, for the fields that rules use.

The source looks like this; reading a field takes 30 ns, asking whether one is set 35 ns:

    def event(value):
        try:
            m = parse(value)
            m_1 = m.customer
            return Order(m.type, Customer(m_1.id) if has(m, 'customer') else None, [Line(x.sku) for x in m.lines[:]])
        except failures as error:
            refuse_error(error, type)
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message_factory import GetMessageClass

from worker.formats.json_values import MAX_DEPTH
from worker.formats.protobuf import values, well_known
from worker.formats.protobuf.levels import DEEP, Levels, may_be_absent, may_exceed, may_lack_required, widest
from worker.formats.python_source import PythonSource
from worker.formats.wanted import WHOLE, Wanted

_CONVERSIONS: dict[int, Callable[[Any], Any]] = {
    Field.TYPE_BYTES: well_known.base64_text,
    Field.TYPE_FLOAT: well_known.short_float,
}


def decoder(
    message: Descriptor,
    wanted: Wanted,
    *,
    start: int = 0,
    index: bytes = b"",
    other: Callable[[bytes], Any] | None = None,
) -> Callable[[bytes], Any]:
    """Compile the function that decodes messages of one type.

    Args:
        message: the type.
        wanted: what is made of a message.
        start: where the message begins in the bytes, with its index.
        index: the message index of such messages.
        other: decodes values with another index.

    Returns:
        A function of bytes. It raises what `values.decode` raises for the fields that it reads.
    """
    return _Source(message, wanted).build(start, index, other)


class _Source(PythonSource):
    """Writes `event`, and the functions for messages inside messages that it calls."""

    def __init__(self, message: Descriptor, wanted: Wanted) -> None:
        kind = GetMessageClass(message)
        super().__init__(
            {
                "parse": kind.FromString,
                "has": kind.HasField,
                "failures": values.FAILURES,
                "refuse_error": values.refuse_error,
                "kind": kind,
            }
        )
        self._message = message
        self._wanted = wanted
        self._whole: dict[str, str] = {}
        self._waiting: list[Descriptor] = []
        self._levels = Levels()

    def build(self, start: int, index: bytes, other: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
        self._event(start, index, other)
        while self._waiting:  # not by recursion: a schema may have a long chain of types
            self._write_whole(self._waiting.pop())
        return self.compiled("event", f"<protobuf {self._message.full_name}>")

    def _event(self, start: int, index: bytes, other: Callable[[bytes], Any] | None) -> None:
        read, made = self._root(self._message)
        with self.block("def event(value):"):
            if index:
                with self.block(f"if value[{start}:{start + len(index)}] != {index!r}:"):
                    self.line(f"return {self.constant(other, 'other')}(value)")
                start += len(index)
            with self.block("try:"):
                self.line(f"m = parse(value[{start}:])" if start else "m = parse(value)")
                self._check(start)
                for line in read:
                    self.line(line)
                self.line(f"return {made}")
            with self.block("except failures as error:"):
                self.line("refuse_error(error, kind)")

    def _check(self, start: int) -> None:
        """Write the checks of the message `m` that its type needs."""
        if may_lack_required(self._message):
            self.line(f"{self.constant(values.check_required)}(m)")
        few = start + 2 * values.MAX_UNSET // widest(self._message)  # a message takes at least two bytes
        with self.block(f"if len(value) > {few}:"):
            self.line(f"{self.constant(values.check_unset)}(m)")
        if self._wanted.made is not None and may_exceed(self._message):
            shortest = start + MAX_DEPTH  # two bytes for each message, which is an object in a list
            with self.block(f"if len(value) >= {shortest}:"):
                self.line(f"{self.constant(values.check_depth)}(m)")

    def _root(self, of: Descriptor) -> tuple[list[str], str]:
        """Statements, and a Python expression for what is wanted of the message `m`."""
        read: list[str] = []
        made = self._wanted.made
        if not values.is_object(of):
            text = self._message_value(of, "m", 1)
            text = f"{self.constant(values.as_object)}({text})" if self._wanted.event else text
            return read, text if made is None else self._converted(text, made)
        if made is None:
            return read, self._call_whole(of, "m", 1)
        return read, self._make_struct(of, self._wanted, 1, "m", read)

    def _converted(self, whole: str, type_: Any) -> str:
        return f"{self.constant(msgspec.convert, 'convert')}({whole}, {self.constant(type_, 'type')})"

    # Structs of the fields used

    def _make_struct(self, of: Descriptor, wanted: Wanted, depth: int, m: str, read: list[str]) -> str:
        """A Python expression for a struct of the message `m`.

        Args:
            of: the message's type.
            wanted: what is wanted of it, with the struct.
            depth: of the struct in the event.
            m: the local that holds the message.
            read: where to add statements that come before the expression: they read messages in the message. One
                that is not set can be read too, and is empty.
        """
        assert wanted.made is not None, "a struct is wanted"
        arguments = []
        for each in msgspec.structs.fields(wanted.made):
            field = of.fields_by_name.get(each.encode_name)
            inner = wanted.fields[each.encode_name]
            made = "None" if field is None else self._used(field, inner, each.type, depth, m, read)
            arguments.append(made)
        return f"{self.constant(wanted.made, 'Made')}({', '.join(arguments)})"

    def _used(  # noqa: PLR0913, PLR0917 - where the field is, and what is wanted of it
        self, field: Field, wanted: Wanted, type_: Any, depth: int, m: str, read: list[str]
    ) -> str:
        at, inside = _attribute(field, m), field.message_type
        json_type = _json_type(field)
        if wanted.accepts is not None and json_type is not None and json_type not in wanted.accepts:
            made = f"{self.constant(values.refuse_type)}()"
        elif json_type is None or (json_type is dict and wanted.made and _is_read_whole(field)):
            # Of a map, or of JSON in a message, the whole is read, and what is used taken from it.
            whole = self._field(field, at, depth)
            made = whole if wanted == WHOLE else self._converted(whole, type_)
        elif json_type is list and wanted.items is not None:
            made = self._items(field, at, wanted.items, type_, depth)
        elif json_type is dict and wanted.made is not None:
            name = self.name("m")
            read.append(f"{name} = {at}")
            made = self._make_struct(inside, wanted, depth + 1, name, read)
        else:
            made = self._field(field, at, depth)
        return _if_set(field, made, m)

    def _items(self, field: Field, at: str, wanted: Wanted, type_: Any, depth: int) -> str:
        inside = field.message_type
        if not field.is_repeated or (inside is not None and not values.is_object(inside)):
            return self._converted(self._field(field, at, depth), type_)
        if inside is None or wanted.made is None:
            return self._field(field, at, depth)
        read: list[str] = []
        item = self._make_struct(inside, wanted, depth + 2, "x", read)
        if read:
            name = self.name("made")
            with self.block(f"def {name}(x):"):
                for line in (*read, f"return {item}"):
                    self.line(line)
            item = f"{name}(x)"
        return f"[{item} for x in {at}[:]]"

    # Whole values

    def _call_whole(self, of: Descriptor, at: str, depth: int | str) -> str:
        """A Python expression for a message as a dict of all its fields."""
        if isinstance(depth, int) and self._levels.of(of) + depth - 1 > DEEP and self._levels.of(of) <= DEEP:
            return f"{self.constant(values.fields_of)}({at}, {depth})"
        if of.full_name not in self._whole:
            self._whole[of.full_name] = self.name("whole")
            self._waiting.append(of)
        counted = f", {depth}" if self._levels.of(of) > DEEP else ""
        return f"{self._whole[of.full_name]}({at}{counted})"

    def _write_whole(self, of: Descriptor) -> None:
        counted = self._levels.of(of) > DEEP
        name = self._whole[of.full_name]
        fields = list(of.fields)
        first = next((n for n, field in enumerate(fields) if may_be_absent(field)), len(fields))
        depth = "depth" if counted else 1
        always = [
            f"{field.name!r}: {self._field(field, _attribute(field, 'm'), depth)}" for field in fields[:first]
        ]
        with self.block(f"def {name}(m, depth):" if counted else f"def {name}(m):"):
            if counted:  # near the limit, level by level; a type that is not counted adds at most `DEEP`
                with self.block(f"if depth > {MAX_DEPTH - DEEP - 2}:"):
                    self.line(f"return {self.constant(values.fields_of)}(m, depth)")
            self.line(f"found = {{{', '.join(always)}}}")
            for field in fields[first:]:
                made = self._field(field, _attribute(field, "m"), depth)
                condition = f"if has(m, {field.name!r}): " if may_be_absent(field) else ""
                self.line(f"{condition}found[{field.name!r}] = {made}")
            self.line("return found")

    def _field(self, field: Field, at: str, depth: int | str) -> str:
        """A Python expression for a field's whole value."""
        if values.is_map(field):
            return self._map(field.message_type, at, depth)
        if not field.is_repeated:
            return self._value(field, at, _deeper(depth, 1))
        item = self._value(field, "x", _deeper(depth, 2))
        return f"{at}[:]" if item == "x" else f"[{item} for x in {at}[:]]"  # a slice is a list, made at once

    def _map(self, entry: Descriptor, at: str, depth: int | str) -> str:
        key, of = entry.fields_by_number[1], entry.fields_by_number[2]
        text = "k" if key.type == Field.TYPE_STRING else f"{self.constant(values.key_text)}(k)"
        keys = f"map({self.constant(values.text)}, {at})" if values.may_be_bytes(key) else at
        return f"{{{text}: {self._value(of, f'{at}[k]', _deeper(depth, 2))} for k in sorted({keys})}}"

    def _value(self, field: Field, at: str, depth: int | str) -> str:
        """A Python expression for one value of a field."""
        if field.message_type is not None:
            return self._message_value(field.message_type, at, depth)
        if field.type == Field.TYPE_ENUM:
            names = self.constant(values.enum_names(field.enum_type), "names")
            return f"{names}.get({at}, {at})"
        convert = values.text if values.may_be_bytes(field) else _CONVERSIONS.get(field.type)
        return at if convert is None else f"{self.constant(convert)}({at})"

    def _message_value(self, message: Descriptor, at: str, depth: int | str) -> str:
        scalar, json_value = well_known.scalar(message), well_known.json_value(message)
        if scalar is not None:
            return f"{self.constant(scalar)}({at})"
        if json_value is not None:
            return f"{self.constant(json_value)}({at}, {depth})"
        if well_known.is_any(message):
            return f"{self.constant(values.any_value)}({at}, {depth})"
        return self._call_whole(message, at, depth)


def _json_type(field: Field) -> type | None:
    """The JSON type of a field that is set; None for one that may have any."""
    if field.is_repeated:
        return dict if values.is_map(field) else list
    inside = field.message_type
    if inside is None:
        return values.JSON_TYPES.get(field.cpp_type, str)
    return dict if values.is_object(inside) else well_known.json_type(inside)


def _is_read_whole(field: Field) -> bool:
    return values.is_map(field) or not values.is_object(field.message_type)


def _attribute(field: Field, m: str) -> str:
    """A Python expression for the field of a message."""
    name = field.name
    return f"{m}.{name}" if name.isidentifier() and not keyword.iskeyword(name) else f"getattr({m}, {name!r})"


def _if_set(field: Field, made: str, m: str) -> str:
    return f"{made} if has({m}, {field.name!r}) else None" if may_be_absent(field) else made


def _deeper(depth: int | str, levels: int) -> int | str:
    return depth + levels if isinstance(depth, int) else f"{depth} + {levels}"
