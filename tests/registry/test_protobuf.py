"""A worker reads Protobuf from a real Kafka with a real registry, as the serializer of confluent-kafka writes it."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.message_factory import GetMessageClass

from tests.support.registry import Registry
from tests.support.worker_process import Site
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema

pytestmark = pytest.mark.kafka

MONEY = 'syntax = "proto3"; package shop; message Money { string currency = 1; int64 units = 2; }'
FIRST = """syntax = "proto3"; package shop; import "shop/money.proto"; import "google/protobuf/timestamp.proto";
message Line { string sku = 1; }
message Order { string customer = 1; Money total = 2; google.protobuf.Timestamp at = 3; repeated Line lines = 4; }
"""
SECOND = FIRST.replace("repeated Line lines = 4;", "repeated Line lines = 4; optional string coupon = 5;")
NESTED = """syntax = "proto3"; package shop;
message Events { message Other { string id = 1; } message Shipped { string customer = 1; string parcel = 2; } }
"""
KEY = 'syntax = "proto3"; package shop; message Key { int64 id = 1; }'
RULES = """\
topics: [{topic}]
format: protobuf
key_format: protobuf
rules:
  - when: parcel != null
    call: track
    event: Shipped
    userId: customer
    properties: {{parcel: parcel}}
  - call: track
    event: Ordered
    userId: customer
    timestamp: at
    properties: {{units: total.units, skus: 'lines[].sku', coupon: coupon, key: _kafka.key.id}}
"""
FRAMED = {"use.deprecated.format": False}


def message_class(text: str, name: str) -> Any:
    return GetMessageClass(ProtobufSchema(compile_text(text, {"shop/money.proto": MONEY})).named(name))


class Producer:
    """Serializes as a producer of one topic does."""

    def __init__(self, topic: str, client: SchemaRegistryClient) -> None:
        self._topic = topic
        self._client = client
        self._serializers: dict[Any, ProtobufSerializer] = {}

    def value(self, kind: Any, **fields: Any) -> bytes:
        return self._bytes(kind, MessageField.VALUE, fields)

    def key(self, kind: Any, **fields: Any) -> bytes:
        return self._bytes(kind, MessageField.KEY, fields)

    def _bytes(self, kind: Any, field: MessageField, fields: dict[str, Any]) -> bytes:
        serialize = self._serializers.setdefault(kind, ProtobufSerializer(kind, self._client, FRAMED))
        encoded = serialize(kind(**fields), SerializationContext(self._topic, field))
        assert encoded is not None
        return encoded


async def test_orders_of_several_versions_and_messages_with_imports_and_keys(
    site: Site, registry: Registry
) -> None:
    site.mapping = RULES.format(topic=site.topic)
    site.change("schema_registry", url=registry.url)
    order = {"customer": "c-1", "total": {"units": 2**60 + 1}, "lines": [{"sku": "a"}]}
    with SchemaRegistryClient({"url": registry.url}) as client:
        producer = Producer(site.topic, client)
        values = [
            producer.value(message_class(FIRST, "Order"), **order),
            producer.value(message_class(SECOND, "Order"), **order, coupon=""),
            producer.value(message_class(NESTED, "shop.Events.Shipped"), customer="c-1", parcel="p-1"),
        ]
        key = producer.key(message_class(KEY, "Key"), id=42)
    site.kafka.append(site.topic, 0, values, key=key)
    assert await site.run_job() == 0
    found = [call["properties"] for call in site.emulator.received.calls()]
    ordered = {"units": 2**60 + 1, "skus": ["a"], "key": 42}
    assert found == [ordered, {**ordered, "coupon": ""}, {"parcel": "p-1"}]


async def test_a_schema_that_was_registered_as_text_with_references(site: Site, registry: Registry) -> None:
    site.mapping = RULES.format(topic=site.topic)
    site.change("schema_registry", url=registry.url)
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema(f"{site.topic}-money", Schema(MONEY, "PROTOBUF"))
        money = SchemaReference("shop/money.proto", f"{site.topic}-money", 1)
        # A blank tells it from the schemas of other tests.
        number = client.register_schema(f"{site.topic}-value", Schema(FIRST + " ", "PROTOBUF", [money]))
    message = message_class(FIRST, "Order")(customer="c-1").SerializeToString()
    prefix = b"\x00" + number.to_bytes(4)
    unknown = b"\x00\x7f\xff\xff\xff\x00"
    values = [prefix + b"\x02\x02" + message, prefix + b"\x02\x08", unknown, prefix + b"\x02\x02\xff", b"{}"]
    site.kafka.append(site.topic, 0, values, key=b"text")
    site.mapping = site.mapping.replace("key_format: protobuf\n", "").replace("_kafka.key.id", "_kafka.key")
    assert await site.run_job() == 0
    (call,) = site.emulator.received.calls()
    assert call["properties"]["key"] == "text"
    reasons = [dict(letter.headers() or [])["dlq.reason"] for letter in site.kafka.read(site.dead_letters, 4)]
    assert reasons == [b"INVALID_PROTOBUF", b"SCHEMA_NOT_FOUND", b"INVALID_PROTOBUF", b"INVALID_PROTOBUF"]
