"""One worker, topics of every format, schemas that change under load, and a registry that goes away meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.message_factory import GetMessageClass

from tests.support.ledger import header
from tests.support.registry import Registry
from tests.support.worker_process import Site, until
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema

AWAY_SECONDS = 60
"""How long the registry is away. Nothing depends on it."""

PEOPLE = 10

RULES = """
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
    properties: {n: n, text: text}
"""

Serialize = Callable[[dict[str, Any]], bytes]
"""Encodes an event of the ledger."""


def avro_schema(version: int) -> str:
    """Version 2 has one field more, with a default; version 3 has a number promoted to 64 bits and an optional text."""
    fields: list[dict[str, Any]] = [
        {"name": "type", "type": "string"},
        {"name": "person", "type": "string"},
        {"name": "n", "type": "int" if version < 3 else "long"},
        {"name": "text", "type": "string" if version < 3 else ["null", "string"]},
    ]
    if version > 1:
        fields.insert(1, {"name": "source", "type": "string", "default": "shop"})
    return json.dumps({"type": "record", "name": "Happened", "namespace": "shop", "fields": fields})


def change_schema(version: int) -> str:
    """Debezium's change event around the same row."""
    row = json.loads(avro_schema(version)) | {"name": "Value", "namespace": "shop.events"}
    source = {
        "type": "record",
        "name": "Source",
        "fields": [
            {"name": "ts_ms", "type": "long"},
            {"name": "snapshot", "type": [{"type": "string"}, "null"], "default": "false"},
        ],
    }
    fields = [
        {"name": "before", "type": ["null", row], "default": None},
        {"name": "after", "type": ["null", "shop.events.Value"], "default": None},
        {"name": "source", "type": source},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ]
    return json.dumps({"type": "record", "name": "Envelope", "namespace": "shop.events", "fields": fields})


def proto(version: int) -> str:
    """Version 2 has a new field; in version 3 the message has another name."""
    name = "Happened" if version < 3 else "Occurred"
    more = "" if version < 2 else "string source = 5;"
    fields = "string type = 1; string person = 2; int64 n = 3; string text = 4;"
    return f'syntax = "proto3"; package shop; message {name} {{ {fields} {more} }}'


class Producers:
    """Serializers of confluent-kafka, which register their schemas.

    Args:
        client: of the registry.
        topics: by format.
    """

    def __init__(self, client: SchemaRegistryClient, topics: dict[str, str]) -> None:
        self._client = client
        self._topics = topics

    def of(self, version: int) -> dict[str, Serialize]:
        """The serializer of each format, with its schema registered."""
        found = {
            "json": lambda event: json.dumps(event).encode(),
            "avro": self._avro("avro", avro_schema(version), lambda event: {"source": "shop", **event}),
            "debezium": self._avro("debezium", change_schema(version), change),
            "protobuf": self._protobuf(version),
        }
        for serialize in found.values():  # which registers its schema when it is first used
            serialize({"type": "happened", "person": "x", "n": 1, "text": "x"})
        return found

    def _avro(self, name: str, schema: str, as_value: Callable[[dict[str, Any]], Any]) -> Serialize:
        serialize = AvroSerializer(self._client, schema)
        context = SerializationContext(self._topics[name], MessageField.VALUE)
        return lambda event: serialized(serialize, as_value(event), context)

    def _protobuf(self, version: int) -> Serialize:
        name = "Happened" if version < 3 else "Occurred"
        kind = GetMessageClass(ProtobufSchema(compile_text(proto(version), {})).named(f"shop.{name}"))
        serialize = ProtobufSerializer(kind, self._client, {"use.deprecated.format": False})
        context = SerializationContext(self._topics["protobuf"], MessageField.VALUE)
        return lambda event: serialized(serialize, kind(**event), context)


def serialized(serialize: Any, value: Any, context: SerializationContext) -> bytes:
    """The bytes of a value. Their types say that a serializer may return none."""
    found = serialize(value, context)
    assert isinstance(found, bytes)
    return found


def change(event: dict[str, Any]) -> dict[str, Any]:
    """Debezium's record of a row that was inserted or updated."""
    row = {"source": "shop", **event}
    before = row if event["n"] % 2 else None
    return {
        "before": before,
        "after": row,
        "source": {"ts_ms": 1_795_255_200_000, "snapshot": "false"},
        "op": "u" if before else "c",
        "ts_ms": None,
    }


@pytest.fixture
def confluent(own_registry: Registry) -> Iterator[SchemaRegistryClient]:
    """The client that producers use."""
    with SchemaRegistryClient({"url": own_registry.url, "timeout": 30}) as client:
        yield client


@pytest.fixture
def topics(site: Site) -> dict[str, str]:
    """A topic for each format, and its mapping file."""
    names = {name: site.kafka.create_topic(2) for name in ("json", "avro", "debezium", "protobuf")}
    more = {
        "json": "",
        "avro": "format: avro",
        "debezium": "format: avro\nenvelope: debezium",
        "protobuf": "format: protobuf",
    }
    (site.folder / "config" / "mappings").mkdir(parents=True, exist_ok=True)
    for name, topic in names.items():
        (site.folder / "config" / "mappings" / f"{name}.yaml").write_text(
            f"topics: [{topic}]\n{more[name]}\n{RULES}"
        )
    return names


@pytest.mark.timeout(240)
async def test_every_record_is_delivered_once_in_order_or_dead_lettered_for_its_reason(
    site: Site, topics: dict[str, str], own_registry: Registry, confluent: SchemaRegistryClient
) -> None:
    site.change("schema_registry", url=own_registry.url, timeout="1s")

    async def produce(serializers: dict[str, Serialize], n: int) -> None:
        for number in range(n):
            for name, serialize in serializers.items():
                person = f"ada.lovelace-{number % PEOPLE}@{name}"
                event = json.loads(site.ledger.event(person))
                site.kafka.enqueue(topics[name], number % PEOPLE % 2, serialize(event), key=person.encode())
            if number % 20 == 0:
                site.kafka.flush()
                await asyncio.sleep(0)
        site.kafka.flush()

    producers = Producers(confluent, topics)
    worker = await site.started()
    for version in (1, 2):
        await produce(producers.of(version), 200)
    await site.delivered()

    newest = producers.of(3)
    for name in ("avro", "debezium", "protobuf"):
        for partition, value in enumerate([b"\x00\x00\x0f\x42\x3f\x00", b"junk"]):
            site.kafka.enqueue(topics[name], partition, value, key=b"bad")
    site.kafka.flush()
    await until(lambda: len(site.ledger.dead_letters()) == 6)

    own_registry.pause()
    await produce(newest, 100)
    only_json = len([each for each in site.ledger.produced if each.endswith("@json")])
    assert only_json == PEOPLE
    await worker.not_ready_for("SCHEMA_REGISTRY_UNREACHABLE")
    taken = 4 * 400 + 100
    await site.taken(taken)
    await asyncio.sleep(AWAY_SECONDS)
    assert site.ledger.taken == taken
    assert await worker.reasons() == ["SCHEMA_REGISTRY_UNREACHABLE"]
    own_registry.resume()
    await produce(newest, 100)
    await site.delivered()
    await worker.ready()

    assert site.ledger.taken == 4 * 600
    reasons = Counter(str(header(each, "dlq.reason")) for each in site.ledger.dead_letters())
    assert reasons == {"SCHEMA_NOT_FOUND": 3, "INVALID_AVRO": 2, "INVALID_PROTOBUF": 1}
    assert await worker.stop() == 0
