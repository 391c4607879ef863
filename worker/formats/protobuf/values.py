"""A Protobuf message as JSON values, field by field: the meaning that generated code (`generated`) must have too.

A field that has presence (a message, `optional`, a member of a `oneof`) and is not set is left out; without presence it
has its type's default, because nothing tells the two apart. A default that the schema declares counts as set. Unknown
fields and extensions are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from worker.core.reasons import Rejected, Stage
from worker.formats.json_values import MAX_DEPTH
from worker.formats.protobuf import well_known
from worker.formats.protobuf.levels import may_be_absent, width
from worker.formats.protobuf.refusals import refuse, refuse_depth

JSON_TYPES: dict[int, type] = {
    **dict.fromkeys(
        (Field.CPPTYPE_INT32, Field.CPPTYPE_INT64, Field.CPPTYPE_UINT32, Field.CPPTYPE_UINT64), int
    ),
    **dict.fromkeys((Field.CPPTYPE_DOUBLE, Field.CPPTYPE_FLOAT), float),
    Field.CPPTYPE_BOOL: bool,
}
"""By the type that the library has for a value; all others become text."""

MAX_UNSET = 1_000_000
"""How many fields of a value may be there without being set (this program's own limit). So many take about 100 MB."""

FAILURES = (DecodeError, UnicodeDecodeError, IndexError)
"""What is raised for bytes that are not a message of the type. The second by `text`, the third for too few bytes."""


def decode(kind: type[Message], encoded: bytes) -> Any:
    """Decode a message to JSON: an object of its fields, or what its type stands for.

    Raises:
        Rejected: `INVALID_PROTOBUF` or `TOO_DEEP`.
    """
    try:
        message = kind.FromString(encoded)
        check_required(message)
        check_unset(message)
        return message_value(message, 1)
    except FAILURES as error:
        refuse_error(error, kind)


def check_unset(message: Message) -> None:
    """Refuse a message in which too many fields are not set: each message in a list takes two bytes, and has them all.

    Raises:
        Rejected: `INVALID_PROTOBUF`.
    """
    unset, widths, waiting = 0, dict[str, int](), [message]
    while waiting:
        kind = type(each := waiting.pop())
        name = kind.DESCRIPTOR.full_name
        if name not in widths:
            widths[name] = width(kind.DESCRIPTOR)
        found = kind.ListFields(each)
        unset += max(0, widths[name] - len(found))
        if unset > MAX_UNSET:
            refuse(f"The messages in it have more than {MAX_UNSET:,} fields that are not set.")
        for field, inside in found:
            if field.message_type is not None:
                waiting.extend(_messages(field, inside))


def _messages(field: Field, found: Any) -> Iterable[Message]:
    """The messages of a field that is set."""
    if not is_map(field):
        return found if field.is_repeated else (found,)
    if field.message_type.fields_by_number[2].message_type is None:
        return ()
    return (found[key] for key in found)


def check_required(message: Message) -> None:
    """Refuse a message that lacks a required field of proto2, as the parsers of other languages do.

    Raises:
        Rejected: `INVALID_PROTOBUF`.
    """
    kind = type(message)  # a field of the message may have the name of a method
    if not kind.IsInitialized(message):
        refuse(f"The value is no {kind.DESCRIPTOR.full_name}: it lacks a required field.")


def check_depth(message: Message, depth: int = 1) -> None:
    """Refuse a message that nests too deeply, also in fields that are not read.

    Raises:
        Rejected: `TOO_DEEP`.
    """
    for field, found in type(message).ListFields(message):
        if is_map(field):
            if _holds_objects(field.message_type.fields_by_number[2]):
                for key in found:
                    _check_inside(found[key], depth + 2)
        elif _holds_objects(field):
            for each in found if field.is_repeated else (found,):
                _check_inside(each, depth + 1 + field.is_repeated)


def _holds_objects(field: Field) -> bool:
    """Whether a field holds messages that are objects of their fields. Others cannot nest as deep as the limit."""
    return field.message_type is not None and is_object(field.message_type)


def _check_inside(message: Message, depth: int) -> None:
    if depth >= MAX_DEPTH:
        fields_of(message, depth)  # which refuses it precisely
    else:
        check_depth(message, depth)


def refuse_error(error: Exception, kind: type[Message]) -> NoReturn:
    """Reject bytes for which the library raised an exception, without its text, which may quote the value.

    Raises:
        Rejected: `INVALID_PROTOBUF`, or `TOO_DEEP` beyond the 100 levels at which every Protobuf parser stops.
    """
    said = str(error)
    if "MaxDepth" in said:
        refuse_depth()
    why = (
        "it holds text that is not UTF-8" if "UTF-8" in said or "utf-8" in said else "its bytes are not valid"
    )
    refuse(f"The value is no {kind.DESCRIPTOR.full_name}: {why}.")


def refuse_type() -> NoReturn:
    """Reject a value of a field that has another type than an envelope's field must have.

    Raises:
        Rejected: `INVALID_PROTOBUF`, always.
    """
    refuse("A field has a type that was not expected.")


def as_object(found: Any) -> dict[str, Any]:
    """Refuse a message that stands for a JSON value, such as a `google.protobuf.Value`, unless that is an object.

    Raises:
        Rejected: `NOT_AN_OBJECT`.
    """
    if type(found) is not dict:
        raise Rejected(Stage.DECODE, "NOT_AN_OBJECT", "The message stands for a value that is not an object.")
    return found


def fields_of(message: Message, depth: int) -> dict[str, Any]:
    """The fields of a message.

    Args:
        message: the message.
        depth: how many objects and lists the result nests in, with itself.

    Raises:
        Rejected: `INVALID_PROTOBUF` or `TOO_DEEP`.
    """
    if depth > MAX_DEPTH:
        refuse_depth()
    return {
        field.name: _value_of(message, field, depth)
        for field in type(message).DESCRIPTOR.fields
        if not may_be_absent(field) or field.name in message
    }


def _value_of(message: Message, field: Field, depth: int) -> Any:
    found = getattr(message, field.name)
    if is_map(field):
        return _map(found, field.message_type, depth + 1)
    if field.is_repeated:
        if depth >= MAX_DEPTH:
            refuse_depth()
        return [value(each, field, depth + 2) for each in found]
    return value(found, field, depth + 1)


def is_map(field: Field) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _map(found: Any, entry: Descriptor, depth: int) -> dict[str, Any]:
    """A map as an object, in the order of its keys: their order in memory is not the same in every process."""
    if depth > MAX_DEPTH:
        refuse_depth()
    of, keys = entry.fields_by_number[2], found
    if may_be_bytes(entry.fields_by_number[1]):
        keys = [text(key) for key in found]
    return {key_text(key): value(found[key], of, depth + 1) for key in sorted(keys)}


def key_text(key: Any) -> str:
    """A map's key as the name of a JSON field."""
    if type(key) is str:
        return key
    return str(key).lower() if type(key) is bool else str(key)


def value(found: Any, field: Field, depth: int) -> Any:
    """One value of a field as JSON.

    Args:
        found: the value, as the library has it; an item of a repeated field.
        field: the field.
        depth: how many objects and lists the result nests in, with itself if it is one.
    """
    match field.type:
        case Field.TYPE_MESSAGE | Field.TYPE_GROUP:
            return message_value(found, depth)
        case Field.TYPE_ENUM:
            return enum_names(field.enum_type).get(found, found)
        case Field.TYPE_BYTES:
            return well_known.base64_text(found)
        case Field.TYPE_FLOAT:
            return well_known.short_float(found)
        case Field.TYPE_STRING if may_be_bytes(field):
            return text(found)
    return found


def may_be_bytes(field: Field) -> bool:
    """Whether the field is text that the parser does not check: of proto2, or of an edition, which may say so."""
    return bool(field.type == Field.TYPE_STRING) and not _checks_text(field.file)


@lru_cache(64)  # few, because a file keeps its whole schema in memory
def _checks_text(file: FileDescriptor) -> bool:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return bool(proto.syntax == "proto3")


def text(found: str | bytes) -> str:
    """Text that the parser has not checked, which the library returns as bytes if it is not UTF-8."""
    return found if type(found) is str else found.decode()  # type: ignore[union-attr]


def message_value(message: Message, depth: int) -> Any:
    """A message as JSON: an object, or what its type stands for."""
    descriptor = type(message).DESCRIPTOR
    scalar = well_known.scalar(descriptor)
    if scalar is not None:
        return scalar(message)
    json_value = well_known.json_value(descriptor)
    if json_value is not None:
        return json_value(message, depth)
    return any_value(message, depth) if well_known.is_any(descriptor) else fields_of(message, depth)


def enum_names(enum: EnumDescriptor) -> dict[int, str | None]:
    """The names of an enum's values: of several with one number, the first."""
    if enum.full_name == "google.protobuf.NullValue":
        return {0: None}
    names: dict[int, str | None] = {}
    for each in enum.values:
        names.setdefault(each.number, each.name)
    return names


def any_value(message: Any, depth: int) -> dict[str, Any]:
    """A `google.protobuf.Any`: the message in it, and its type as `@type`.

    A message that is a JSON value of its own is the field `value`, as in Protobuf's JSON. So is one whose type the
    schema does not define, as base64 text.
    """
    if depth > MAX_DEPTH:
        refuse_depth()
    url = message.type_url
    kind = _message_class(type(message).DESCRIPTOR, url.rpartition("/")[2])
    if kind is None:
        return {"@type": url, "value": well_known.base64_text(message.value)} if url else {}
    inner = kind.FromString(message.value)
    check_required(inner)
    check_unset(inner)
    if is_object(kind.DESCRIPTOR):
        return {"@type": url, **fields_of(inner, depth)}
    return {"@type": url, "value": message_value(inner, depth + 1)}


def is_object(message: Descriptor) -> bool:
    """Whether such messages are objects of their fields."""
    return not (well_known.scalar(message) or well_known.json_value(message) or well_known.is_any(message))


def _message_class(beside: Descriptor, name: str) -> type[Message] | None:
    try:
        found = beside.file.pool.FindMessageTypeByName(name)
    except KeyError:
        return _standard().get(name)
    kind: type[Message] = GetMessageClass(found)
    return kind


@lru_cache(1)
def _standard() -> dict[str, type[Message]]:
    """The well-known types, which a producer may put into an `Any` although the schema does not import them."""
    from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2  # noqa: PLC0415

    files = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    every = [message for file in files for message in file.DESCRIPTOR.message_types_by_name.values()]
    return {message.full_name: GetMessageClass(message) for message in every}
