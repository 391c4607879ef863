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
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message_factory import GetMessageClass

from worker.formats.json_values import MAX_DEPTH
from worker.formats.protobuf import values, well_known
from worker.formats.protobuf.levels import DEEP, Levels, may_lack_required

_CONVERSIONS: dict[int, Callable[[Any], Any]] = {
    Field.TYPE_BYTES: well_known.base64_text,
    Field.TYPE_FLOAT: well_known.short_float,
}


def decoder(message: Descriptor, struct_type: type | None = None) -> Callable[[bytes], Any]:
    """Compile the function that decodes messages of one type.

    Args:
        message: the type.
        struct_type: a `msgspec.Struct` with the fields used, so that no others are read; None for a dict of all.

    Returns:
        A function of the bytes of a message. It raises what `values.decode` raises for the fields that it reads.
    """
    return _Source(message, struct_type).build()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a value is made: a struct if it is an object, a list of these items if it is a list."""

    struct: type | None
    items: Any

    @classmethod
    def of(cls, type_: Any) -> _Wanted:
        """Read a type that `worker.mapping.compiler.decoder` made: anything, or a union with a struct and a list."""
        struct, items = None, Any
        for each in get_args(type_):
            if isinstance(each, type) and issubclass(each, msgspec.Struct):
                struct = each
            elif get_origin(each) is list:
                (items,) = get_args(each)
        return cls(struct, items)


class _Source:
    """Writes `event`, and the functions for messages inside messages that it calls."""

    def __init__(self, message: Descriptor, struct_type: type | None) -> None:
        self._message = message
        self._struct_type = struct_type
        kind = GetMessageClass(message)
        self._namespace: dict[str, Any] = {
            "parse": kind.FromString,
            "has": kind.HasField,
            "failures": values.FAILURES,
            "refuse_error": values.refuse_error,
            "kind": kind,
        }
        self._names: dict[int, str] = {}
        self._numbers = 0
        self._lines: list[str] = []
        self._whole: dict[str, str] = {}
        self._waiting: list[Descriptor] = []
        self._levels = Levels()

    def build(self) -> Callable[[bytes], Any]:
        self._event()
        while self._waiting:  # not by recursion: a schema may have a long chain of types
            self._write_whole(self._waiting.pop())
        source = "\n".join(self._lines) + "\n"
        file = f"<protobuf {self._message.full_name}>"
        exec(compile(source, file, "exec"), self._namespace)  # noqa: S102 - the source is ours
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        built: Callable[[bytes], Any] = self._namespace["event"]
        return built

    def _event(self) -> None:
        read, made = self._root(self._message, self._struct_type)
        self._lines += ["def event(value):", "    try:", "        m = parse(value)"]
        if may_lack_required(self._message):
            self._lines.append(f"        {self._constant(values.check_required, 'check_required')}(m)")
        self._lines += [f"        {line}" for line in (*read, f"return {made}")]
        self._lines += ["    except failures as error:", "        refuse_error(error, kind)"]

    def _root(self, of: Descriptor, struct: type | None) -> tuple[list[str], str]:
        """Statements, and a Python expression for the event."""
        read: list[str] = []
        if not values.is_object(of):
            made = f"{self._constant(values.as_object, 'as_object')}({self._message_value(of, 'm', 1)})"
            made = made if struct is None else self._converted(made, struct)
        elif struct is None:
            made = self._call_whole(of, "m", 1)
        else:
            made = self._make_struct(of, struct, 1, "m", read)
        return read, made

    def _converted(self, whole: str, type_: Any) -> str:
        return f"{self._constant(msgspec.convert, 'convert')}({whole}, {self._constant(type_, 'type')})"

    # Structs of the fields used

    def _make_struct(self, of: Descriptor, struct: type, depth: int, m: str, read: list[str]) -> str:
        """A Python expression for a struct of the message `m`.

        Args:
            of: the message's type.
            struct: the struct.
            depth: of the struct in the event.
            m: the local that holds the message.
            read: where to add statements that come before the expression: they read messages in the message. One
                that is not set can be read too, and is empty.
        """
        arguments = []
        for each in msgspec.structs.fields(struct):
            field = of.fields_by_name.get(each.encode_name)
            arguments.append("None" if field is None else self._used(field, each.type, depth, m, read))
        return f"{self._constant(struct, 'Made')}({', '.join(arguments)})"

    def _used(self, field: Field, type_: Any, depth: int, m: str, read: list[str]) -> str:
        wanted, at = _Wanted.of(type_), _attribute(field, m)
        inside = field.message_type
        if wanted.struct is None or (inside is None and not field.is_repeated):
            made = self._field(field, at, depth)
        elif inside is not None and (values.is_map(field) or not values.is_object(inside)):
            # Of a map, or of JSON in a message, the whole is read, and what is used taken from it.
            made = self._converted(self._field(field, at, depth), type_)
        elif field.is_repeated:
            made = self._items(field, at, wanted, depth)
        else:
            name = self._name("m")
            read.append(f"{name} = {at}")
            made = self._make_struct(inside, wanted.struct, depth + 1, name, read)
        return _if_set(field, made, m)

    def _items(self, field: Field, at: str, wanted: _Wanted, depth: int) -> str:
        struct = _Wanted.of(wanted.items).struct
        if struct is None or field.message_type is None:
            return self._field(field, at, depth)
        read: list[str] = []
        item = self._make_struct(field.message_type, struct, depth + 2, "x", read)
        if read:
            name = self._name("made")
            self._lines += [f"def {name}(x):", *(f"    {line}" for line in (*read, f"return {item}"))]
            item = f"{name}(x)"
        return f"[{item} for x in {at}[:]]"

    def _name(self, hint: str) -> str:
        self._numbers += 1
        return f"{hint}_{self._numbers}"

    # Whole values

    def _call_whole(self, of: Descriptor, at: str, depth: int | str) -> str:
        """A Python expression for a message as a dict of all its fields."""
        if isinstance(depth, int) and self._levels.of(of) + depth - 1 > DEEP and self._levels.of(of) <= DEEP:
            return f"{self._constant(values.fields_of, 'fields_of')}({at}, {depth})"
        if of.full_name not in self._whole:
            self._whole[of.full_name] = f"whole_{len(self._whole)}"
            self._waiting.append(of)
        counted = f", {depth}" if self._levels.of(of) > DEEP else ""
        return f"{self._whole[of.full_name]}({at}{counted})"

    def _write_whole(self, of: Descriptor) -> None:
        counted = self._levels.of(of) > DEEP
        name = self._whole[of.full_name]
        self._lines.append(f"def {name}(m, depth):" if counted else f"def {name}(m):")
        if counted:  # near the limit, level by level; a type that is not counted adds at most `DEEP`
            self._lines.append(f"    if depth > {MAX_DEPTH - DEEP - 2}:")
            self._lines.append(f"        return {self._constant(values.fields_of, 'fields_of')}(m, depth)")
        depth = "depth" if counted else 1
        fields = list(of.fields)
        first = next((n for n, field in enumerate(fields) if values.may_be_absent(field)), len(fields))
        always = [
            f"{field.name!r}: {self._field(field, _attribute(field, 'm'), depth)}" for field in fields[:first]
        ]
        self._lines.append(f"    found = {{{', '.join(always)}}}")
        for field in fields[first:]:
            made = self._field(field, _attribute(field, "m"), depth)
            condition = f"if has(m, {field.name!r}): " if values.may_be_absent(field) else ""
            self._lines.append(f"    {condition}found[{field.name!r}] = {made}")
        self._lines.append("    return found")

    def _field(self, field: Field, at: str, depth: int | str) -> str:
        """A Python expression for a field's whole value."""
        if values.is_map(field):
            return self._map(field.message_type, at, depth)
        if not field.is_repeated:
            return self._value(field, at, _deeper(depth, 1))
        item = self._value(field, "x", _deeper(depth, 2))
        return f"{at}[:]" if item == "x" else f"[{item} for x in {at}[:]]"  # a slice is a list, made at once

    def _map(self, entry: Descriptor, at: str, depth: int | str) -> str:
        key, of = entry.fields_by_name["key"], entry.fields_by_name["value"]
        text = "k" if key.type == Field.TYPE_STRING else f"{self._constant(values.key_text, 'key_text')}(k)"
        return f"{{{text}: {self._value(of, f'{at}[k]', _deeper(depth, 2))} for k in sorted({at})}}"

    def _value(self, field: Field, at: str, depth: int | str) -> str:
        """A Python expression for one value of a field."""
        if field.message_type is not None:
            return self._message_value(field.message_type, at, depth)
        if field.type == Field.TYPE_ENUM:
            names = self._constant(values.enum_names(field.enum_type), "names")
            return f"{names}.get({at}, {at})"
        convert = _CONVERSIONS.get(field.type)
        return at if convert is None else f"{self._constant(convert, convert.__name__)}({at})"

    def _message_value(self, message: Descriptor, at: str, depth: int | str) -> str:
        scalar, json_value = well_known.scalar(message), well_known.json_value(message)
        if scalar is not None:
            return f"{self._constant(scalar, scalar.__name__)}({at})"
        if json_value is not None:
            return f"{self._constant(json_value, json_value.__name__)}({at}, {depth})"
        if well_known.is_any(message):
            return f"{self._constant(values.any_value, 'any_value')}({at}, {depth})"
        return self._call_whole(message, at, depth)

    def _constant(self, value: object, hint: str) -> str:
        """The name of this object in the source."""
        if id(value) not in self._names:
            self._names[id(value)] = f"{hint}_{len(self._names)}"
            self._namespace[self._names[id(value)]] = value  # which also keeps its id from being used again
        return self._names[id(value)]


def _attribute(field: Field, m: str) -> str:
    """A Python expression for the field of a message."""
    name = field.name
    return f"{m}.{name}" if name.isidentifier() and not keyword.iskeyword(name) else f"getattr({m}, {name!r})"


def _if_set(field: Field, made: str, m: str) -> str:
    return f"{made} if has({m}, {field.name!r}) else None" if values.may_be_absent(field) else made


def _deeper(depth: int | str, levels: int) -> int | str:
    return depth + levels if isinstance(depth, int) else f"{depth} + {levels}"
