"""Strategies for Protobuf schemas, messages of them, and what rules want of those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from hypothesis import strategies as st

from worker.mapping.compiler.decoder import FieldsUsed

Draw = Callable[[Any], Any]

IMPORTED = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
WELL_KNOWN = [
    f".google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "Struct", "Value", "ListValue", "Any"),
        *("StringValue", "Int64Value", "UInt64Value", "BoolValue", "BytesValue", "FloatValue", "DoubleValue"),
    )
]
SCALARS = [
    *(
        Field.TYPE_DOUBLE,
        Field.TYPE_FLOAT,
        Field.TYPE_INT64,
        Field.TYPE_UINT64,
        Field.TYPE_INT32,
        Field.TYPE_UINT32,
    ),
    *(Field.TYPE_FIXED64, Field.TYPE_FIXED32, Field.TYPE_BOOL, Field.TYPE_STRING, Field.TYPE_BYTES),
    *(Field.TYPE_SFIXED32, Field.TYPE_SFIXED64, Field.TYPE_SINT32, Field.TYPE_SINT64),
]
KEYS = [Field.TYPE_STRING, Field.TYPE_INT64, Field.TYPE_UINT32, Field.TYPE_BOOL, Field.TYPE_SINT32]
NAMES = [
    "id",
    "type",
    "from",
    "class",
    "HasField",
    "IsInitialized",
    "DESCRIPTOR",
    "None",
    "lines",
    "fields",
    "items",
    "x",
    "m",
    "_1",
]


@st.composite
def schemas(draw: Draw) -> bytes:
    """A descriptor set with messages `p.M0`, `p.M1`, ... that may contain each other, and the enum `p.E`."""
    proto2 = draw(st.booleans())
    file = FileDescriptorProto(name="p.proto", package="p", syntax="proto2" if proto2 else "proto3")
    file.dependency.extend(each.DESCRIPTOR.name for each in IMPORTED)
    enum = file.enum_type.add(name="E")
    enum.options.allow_alias = True
    for name, number in (("ZERO", 0), ("ONE", 1), ("UNO", 1), ("MINUS", -1)):
        enum.value.add(name=name, number=number)
    count = draw(st.integers(1, 3))
    messages = [f".p.M{n}" for n in range(count)]
    for n in range(count):
        message = file.message_type.add(name=f"M{n}")
        names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=6))
        if draw(st.booleans()) and names:
            message.oneof_decl.add(name="choice")
        for number, name in enumerate(names, 1):
            _add_field(draw, message, name, number, messages, proto2=proto2)
        _finish(message)
    every = FileDescriptorSet()
    for each in IMPORTED:
        each.DESCRIPTOR.CopyToProto(every.file.add())
    every.file.add().CopyFrom(file)
    encoded: bytes = every.SerializeToString()
    return encoded


def _add_field(
    draw: Draw, message: DescriptorProto, name: str, number: int, messages: list[str], *, proto2: bool
) -> None:
    kinds = ["one", "oneof", "repeated", "map"] if message.oneof_decl else ["one", "repeated", "map"]
    kind = draw(st.sampled_from(kinds))
    field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
    if kind == "map":
        entry = message.nested_type.add(name=f"F{number}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=1, type=draw(st.sampled_from(KEYS)))
        _set_type(draw, entry.field.add(name="value", number=2, label=1), messages)
        field.name = f"f{number}"
        field.label, field.type = Field.LABEL_REPEATED, Field.TYPE_MESSAGE
        field.type_name = f".p.{message.name}.F{number}Entry"
        return
    _set_type(draw, field, messages)
    if kind == "repeated":
        field.label = Field.LABEL_REPEATED
    elif kind == "oneof":
        field.oneof_index = 0
    elif proto2:
        if field.type == Field.TYPE_INT32 and draw(st.booleans()):
            field.default_value = "7"
        elif field.type == Field.TYPE_STRING and draw(st.booleans()):
            field.label = Field.LABEL_REQUIRED
    elif field.type != Field.TYPE_MESSAGE and draw(st.booleans()):
        field.proto3_optional = True


def _set_type(draw: Draw, field: FieldDescriptorProto, messages: list[str]) -> None:
    kind = draw(st.sampled_from([*SCALARS, *[Field.TYPE_ENUM] * 2, *[Field.TYPE_MESSAGE] * 8]))
    field.type = kind
    if kind == Field.TYPE_ENUM:
        field.type_name = ".p.E"
    elif kind == Field.TYPE_MESSAGE:
        field.type_name = draw(st.sampled_from([*messages, *messages, *WELL_KNOWN]))


def _finish(message: DescriptorProto) -> None:
    """Put the one-member oneofs of `optional` behind the others, as the compiler does; drop an empty oneof."""
    if message.oneof_decl and not any(field.HasField("oneof_index") for field in message.field):
        del message.oneof_decl[:]
    for field in message.field:
        if field.proto3_optional:
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}_{field.number}")


def fill(draw: Draw, message: Any, depth: int = 0) -> None:
    """Set some fields of a message to drawn values."""
    kind = type(message)  # a field of the message may have the name of a method
    name = kind.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = draw(st.integers(-62_135_596_801, 253_402_300_800))
        message.nanos = draw(st.sampled_from([0, 0, 1, 1000, 250_000_000, -1, 10**9]))
        return
    if name == "google.protobuf.Any":
        message.type_url = draw(st.sampled_from(["", "t/p.M0", "t/google.protobuf.Int64Value", "t/unknown"]))
        message.value = draw(st.sampled_from([b"", b"\x08\x01", b"\xff"]))
        return
    for field in kind.DESCRIPTOR.fields:
        if field.is_required or draw(st.booleans()):
            _fill_field(draw, message, field, depth)


def _fill_field(draw: Draw, message: Any, field: Any, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(draw, getattr(message, field.name), field.message_type, depth)
    elif field.message_type is not None:
        if depth < 4:
            inner = getattr(message, field.name)
            if field.is_repeated:
                every = [inner.add() for _ in range(draw(st.integers(0, 2)))]
            else:
                type(inner).SetInParent(inner)
                every = [inner]
            for each in every:
                fill(draw, each, depth + 1)
    elif field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(scalars(field), max_size=3)))
    else:
        setattr(message, field.name, draw(scalars(field)))


def _fill_map(draw: Draw, of: Any, entry: Any, depth: int) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for each in draw(st.lists(scalars(key), max_size=3)):
        if value.message_type is None:
            of[each] = draw(scalars(value))
        elif depth < 4:
            fill(draw, of[each], depth + 1)


def scalars(field: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each type
    """Values of a field that is no message."""
    match field.cpp_type:
        case Field.CPPTYPE_STRING if field.type == Field.TYPE_BYTES:
            return st.binary(max_size=4)
        case Field.CPPTYPE_STRING:
            return st.text(st.characters(codec="utf-8"), max_size=4)
        case Field.CPPTYPE_BOOL:
            return st.booleans()
        case Field.CPPTYPE_ENUM:
            open_enum = field.file.name != "p.proto" or not field.has_presence
            return st.sampled_from(
                [0, 1, -1, 9] if open_enum and not field.enum_type.is_closed else [0, 1, -1]
            )
        case Field.CPPTYPE_DOUBLE | Field.CPPTYPE_FLOAT:
            return st.floats(width=32 if field.cpp_type == Field.CPPTYPE_FLOAT else 64)
        case Field.CPPTYPE_INT64:
            return st.integers(-(2**63), 2**63 - 1)
        case Field.CPPTYPE_UINT64:
            return st.integers(0, 2**64 - 1)
        case Field.CPPTYPE_UINT32:
            return st.integers(0, 2**32 - 1)
    return st.integers(-(2**31), 2**31 - 1)


def used() -> st.SearchStrategy[FieldsUsed]:
    """What a mapping uses of an event."""
    names = st.sampled_from([*NAMES, "f1", "f2", "f3", "seconds", "value", "@type", "0"])
    whole = st.just(FieldsUsed(whole=True))
    inner = st.recursive(
        whole,
        lambda deeper: st.builds(
            FieldsUsed,
            fields=st.dictionaries(names, deeper, max_size=4),
            items=st.none() | deeper,
        ),
        max_leaves=8,
    )
    return st.builds(FieldsUsed, fields=st.dictionaries(names, inner, min_size=1, max_size=8))
