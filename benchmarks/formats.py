"""What formats cost: the same order through the same rule as JSON, Protobuf and Avro, and by a client's deserializers.

`python benchmarks/formats.py` needs no Kafka and no registry. All ways run in one process, in turn, round after round,
on the records that Kafka's client gives; every figure is a ratio within a round.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.message_factory import GetMessageClass

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.events import MAPPING, event
from benchmarks.mapping import IDS, TIME, compare, made
from worker.core.message_id import PAIRS, Middles, beginning, ends
from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
from worker.core.timestamps import rfc3339
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.schemas import IdKind, Schema, SchemaId, Schemas
from worker.mapping.mappings import Mappings

PROTO = """
syntax = "proto3";
package shop;
message Customer { string id = 1; string email = 2; }
message Line { string sku = 1; string name = 2; int32 qty = 3; double price = 4; }
message Details { string id = 1; double total = 2; string currency = 3; repeated Line lines = 4; }
message Order {
  string type = 1; string id = 2; string occurred_at = 3; Customer customer = 4; Details order = 5;
  string source = 6; int64 version = 7;
}
"""

OF_PROTOBUF = SerializationContext("orders", MessageField.VALUE)
OF_AVRO = SerializationContext("orders-in-avro", MessageField.VALUE)
FRAMED = {"use.deprecated.format": False}

AVRO = {
    "type": "record", "name": "Order", "namespace": "shop", "fields": [
        *({"name": name, "type": "string"} for name in ("type", "id", "occurred_at")),
        {"name": "customer", "type": {"type": "record", "name": "Customer", "fields": [
            {"name": "id", "type": "string"}, {"name": "email", "type": "string"},
        ]}},
        {"name": "order", "type": {"type": "record", "name": "Details", "fields": [
            {"name": "id", "type": "string"}, {"name": "total", "type": "double"},
            {"name": "currency", "type": "string"},
            {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
                {"name": "sku", "type": "string"}, {"name": "name", "type": "string"},
                {"name": "qty", "type": "int"}, {"name": "price", "type": "double"},
            ]}}},
        ]}},
        {"name": "source", "type": "string"}, {"name": "version", "type": "long"},
    ],
}  # fmt: skip

Mapped = Callable[[bytes], dict[str, Any] | None]
"""Makes a call of a value, but for its id; None for an event that is not for the rule."""


def of_message(deserialize: Callable[[bytes], Any]) -> Mapped:
    """What a consumer's author would write around a deserializer that returns a message."""

    def mapped(value: bytes) -> dict[str, Any] | None:
        order = deserialize(value)
        if order.type != "order.completed":
            return None
        details = order.order
        return {
            "type": "track",
            "userId": order.customer.id,
            "event": "Order Completed",
            "properties": {
                "order_id": details.id,
                "total": details.total,
                "currency": "USD",
                "products": [
                    {"sku": line.sku, "name": line.name, "quantity": line.qty, "price": line.price}
                    for line in details.lines
                ],
            },
            "timestamp": rfc3339(order.occurred_at),
        }

    return mapped


def of_dict(deserialize: Callable[[bytes], Any]) -> Mapped:
    """The same around one that returns a dict."""

    def mapped(value: bytes) -> dict[str, Any] | None:
        order = deserialize(value)
        if order["type"] != "order.completed":
            return None
        details = order["order"]
        return {
            "type": "track",
            "userId": order["customer"]["id"],
            "event": "Order Completed",
            "properties": {
                "order_id": details["id"],
                "total": details["total"],
                "currency": "USD",
                "products": [
                    {
                        "sku": line["sku"],
                        "name": line["name"],
                        "quantity": line["qty"],
                        "price": line["price"],
                    }
                    for line in details["lines"]
                ],
            },
            "timestamp": rfc3339(order["occurred_at"]),
        }

    return mapped


def by_hand(mapped: Mapped) -> Converter:
    """A loop that makes calls so."""
    middles = Middles(IDS, "orders", [("track", "Order Completed")])
    last = ends(0)

    def convert(records: Sequence[Record], calls: list[QueuedCall], _: list[RejectedRecord]) -> int:
        for record in records:
            call = mapped(record.value() or b"")
            if call is None:
                continue
            millis, offset = record.timestamp()[1], record.offset()
            middle = middles.of(record.partition(), offset)[0][0]
            call["messageId"] = f"{beginning(millis)}{PAIRS[millis & 1023]}{middle}{last[offset & 4095]}"
            calls.append((record.key() or offset, orjson.dumps(call) + b",", record, 0, b"", "by hand"))
        return 0

    return convert


def compiled(folder: Path, mapping: str, schemas: Schemas) -> Converter:
    """The converter that the worker runs for a mapping file."""
    (folder / "orders.yaml").write_text(mapping)
    mappings = Mappings.load(
        [str(folder / "orders.yaml")],
        mapper_path=[str(folder)],
        base=folder,
        dead_letter_topic="dead",
        future=300.0,
        profile="warn",
        schemas=schemas,
    )
    converter = mappings.converter("orders", IDS, on_notice=lambda *_: None)
    assert converter is not None
    return converter


def records(values: Sequence[bytes]) -> list[Record]:
    """Records as Kafka's client gives them, of one partition."""
    client: Any = Message
    return [
        client(topic="orders", partition=0, offset=n, key=b"key", value=value, timestamp=(1, TIME + n))
        for n, value in enumerate(values)
    ]


def rows(folder: Path, events: int) -> tuple[dict[str, Converter], dict[str, list[Record]]]:
    """Each way with its records; the first is JSON."""
    client = SchemaRegistryClient.new_client({"url": "mock://benchmark"})
    encoded = [event(n) for n in range(events)]
    kind = GetMessageClass(ProtobufSchema(compile_text(PROTO, {})).named("Order"))
    to_protobuf = ProtobufSerializer(kind, client, FRAMED)
    to_avro = AvroSerializer(client, json.dumps(AVRO))
    protobuf = [to_protobuf(kind(**orjson.loads(each)), OF_PROTOBUF) or b"" for each in encoded]
    avro = [to_avro(orjson.loads(each), OF_AVRO) or b"" for each in encoded]
    schemas = Schemas()
    for value, type_, text in ((protobuf[0], "PROTOBUF", PROTO), (avro[0], "AVRO", json.dumps(AVRO))):
        schemas.put(SchemaId(IdKind.CONFLUENT, int.from_bytes(value[1:5])), Schema(type_, text))
    from_protobuf = ProtobufDeserializer(kind, FRAMED, client)
    from_avro = AvroDeserializer(client)
    return {
        "JSON": compiled(folder, MAPPING, schemas),
        "Protobuf": compiled(folder, f"format: protobuf{MAPPING}", schemas),
        "Protobuf by confluent-kafka, mapped by hand": by_hand(
            of_message(lambda value: from_protobuf(value, OF_PROTOBUF))
        ),
        "Avro": compiled(folder, f"format: avro{MAPPING}", schemas),
        "Avro by confluent-kafka, mapped by hand": by_hand(of_dict(lambda value: from_avro(value, OF_AVRO))),
    }, {
        "JSON": records(encoded),
        **dict.fromkeys(("Protobuf", "Protobuf by confluent-kafka, mapped by hand"), records(protobuf)),
        **dict.fromkeys(("Avro", "Avro by confluent-kafka, mapped by hand"), records(avro)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    gc.freeze()  # as the worker does
    gc.set_threshold(50_000, 20, 100)
    with tempfile.TemporaryDirectory() as name:
        ways, of = rows(Path(name), given.events)
    expected = made(ways["JSON"], of["JSON"])
    for each, way in ways.items():
        assert [call[:2] for call in made(way, of[each])] == [call[:2] for call in expected], each
    print(f"{given.events:,} events a round, {given.rounds} rounds; CPU µs an event, and by that of JSON")
    compare(ways, of, given.rounds)


if __name__ == "__main__":
    main()
