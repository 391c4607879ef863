"""What every format is held to by `test_contract.py`: add a `FormatUnderTest` to `UNDER_TEST`.

All formats encode the same event, `EVENT`, whose fields have the types that events have in JSON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fastavro
import msgspec
from google.protobuf.message_factory import GetMessageClass

from worker.formats.encoding import Encoding
from worker.formats.format import Format
from worker.formats.formats import format_of
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.schemas import IdKind, Schema, SchemaId, Schemas

EVENT: dict[str, Any] = {
    "type": "order.completed",
    "text": "Łódź \N{ROCKET}",
    "largest": 9_223_372_036_854_775_807,
    "least": -9_223_372_036_854_775_808,
    "small": -3,
    "total": 0.1,
    "gift": True,
    "customer": {"id": "cust-1", "tags": ["a", "", "b"]},
    "lines": [{"sku": "s-1", "qty": 1}, {"sku": "s-2", "qty": 300}],
    "labels": {"color": "red", "": "none"},
}


@dataclass(frozen=True, slots=True)
class FormatUnderTest:
    """A format with records to try it on.

    Attributes:
        name: its word.
        format: as a mapping file makes it.
        encode: makes a value of `EVENT`, or of another event of its shape.
        nested: makes a value whose objects nest so deep.
        reason: of bytes that are not of the format.
        bombs: short values that stand for much, each of which must be rejected.
    """

    name: str
    format: Format
    encode: Callable[[dict[str, Any]], bytes]
    nested: Callable[[int], bytes]
    reason: str
    bombs: dict[str, bytes] = field(default_factory=dict)


# JSON

JSON = FormatUnderTest(
    "json",
    format_of(Encoding("json")),
    msgspec.json.encode,
    lambda depth: b'{"next":' * depth + b"null" + b"}" * depth,
    "INVALID_JSON",
    {"a million brackets": b'{"a":' + b"[" * 1_000_000},
)


# Avro

_LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "sku", "type": "string"}, {"name": "qty", "type": "int"}],
}
_CUSTOMER = {
    "type": "record",
    "name": "Customer",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}
AVRO_SCHEMA = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "type", "type": "string"},
        {"name": "text", "type": ["null", "string"]},
        {"name": "largest", "type": "long"},
        {"name": "least", "type": "long"},
        {"name": "small", "type": "int"},
        {"name": "total", "type": "double"},
        {"name": "gift", "type": "boolean"},
        {"name": "customer", "type": _CUSTOMER},
        {"name": "lines", "type": {"type": "array", "items": _LINE}},
        {"name": "labels", "type": {"type": "map", "values": "string"}},
    ],
}
AVRO_NODE = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "next", "type": ["null", "Node"]}],
}
AVRO_NULLS = {
    "type": "record",
    "name": "Nulls",
    "fields": [
        {"name": "nulls", "type": {"type": "array", "items": "null"}},
        {"name": "lists", "type": {"type": "array", "items": {"type": "array", "items": "null"}}},
        {"name": "reals", "type": {"type": "array", "items": "double"}},
    ],
}


def with_prefix(number: int, data: bytes) -> bytes:
    """A value in Confluent's wire format."""
    return b"\x00" + number.to_bytes(4) + data


def avro_bytes(schema: Any, value: Any) -> bytes:
    """A value by fastavro, which is independent of the worker's decoder."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return file.getvalue()


def avro_schemas(*schemas: Any) -> Schemas:
    """A cache with these schemas under the ids 1, 2, ..."""
    found = Schemas()
    for number, schema in enumerate(schemas, start=1):
        found.put(SchemaId(IdKind.CONFLUENT, number), Schema("AVRO", json.dumps(schema)))
    return found


_LOTS = b"\xfe\xff\xff\xff\xff\x1f"
"""A count of 549,755,813,887 items."""

AVRO = FormatUnderTest(
    "avro",
    format_of(Encoding("avro"), avro_schemas(AVRO_SCHEMA, AVRO_NODE, AVRO_NULLS)),
    lambda event: with_prefix(1, avro_bytes(AVRO_SCHEMA, event)),
    lambda depth: with_prefix(2, b"\x02" * (depth - 1) + b"\x00"),
    "INVALID_AVRO",
    {
        "nulls without end": with_prefix(3, _LOTS + b"\x00\x00\x00"),
        "many lists of nulls": with_prefix(3, b"\x00\xd0\x0f" + b"\xc0\x84\x3d\x00" * 1000 + b"\x00\x00"),
        "numbers without end": with_prefix(3, b"\x00\x00" + _LOTS + b"\x00"),
        "a million levels": with_prefix(2, b"\x02" * 1_000_000),
    },
)

# Protobuf

PROTOBUF_TEXT = """syntax = "proto2";
package shop;
message Customer { required string id = 1; repeated string tags = 2; }
message Line { required string sku = 1; required int32 qty = 2; }
message Order {
  optional string text = 2; required int64 largest = 3; required sint64 least = 4; required int32 small = 5;
  required double total = 6; required bool gift = 7; required Customer customer = 8; repeated Line lines = 9;
  map<string, string> labels = 10;
  required string type = 100; // the last one, so that a value that is cut short lacks it
}
message Node { repeated Node next = 1; }
"""
_KINDS = ProtobufSchema(compile_text(PROTOBUF_TEXT, {}))


def protobuf_bytes(event: dict[str, Any]) -> bytes:
    """A value in Confluent's wire format, whose message is the third of the file."""
    message = GetMessageClass(_KINDS.named("Order"))(**event)
    return with_prefix(1, b"\x02\x04" + message.SerializeToString(deterministic=True))


def _nested_protobuf(depth: int) -> bytes:
    """Each message is an object with a list. The last message may have no list, but has an empty one."""
    value = b""
    for _ in range((depth - 1) // 2):
        value = b"\x0a" + _varint(len(value)) + value
    return with_prefix(1, b"\x02\x06" + value)


def _varint(number: int) -> bytes:
    low = bytes([number & 127 | (128 if number > 127 else 0)])
    return low + _varint(number >> 7) if number > 127 else low


def _protobuf_schemas() -> Schemas:
    found = Schemas()
    found.put(SchemaId(IdKind.CONFLUENT, 1), Schema("PROTOBUF", PROTOBUF_TEXT))
    return found


PROTOBUF = FormatUnderTest(
    "protobuf",
    format_of(Encoding("protobuf"), _protobuf_schemas()),
    protobuf_bytes,
    _nested_protobuf,
    "INVALID_PROTOBUF",
    {
        "text without end": with_prefix(1, b"\x02\x04\x12\xff\xff\xff\xff\x07"),
        "numbers without end": with_prefix(1, b"\x02\x06" + b"\x0a\xff\xff\xff\xff\x07"),
        "a message index without end": with_prefix(1, b"\xfe\xff\xff\xff\x0f"),
    },
)

UNDER_TEST = (JSON, AVRO, PROTOBUF)
