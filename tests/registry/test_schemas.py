"""A real registry: its ids, what it does not know, and what confluent-kafka's own serializers register there."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as ClientSchema
from confluent_kafka.schema_registry import SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.registry import Registry
from worker.adapters.schema_registry.client import SchemaRegistryClient as Client
from worker.formats.encoding import Encoding
from worker.formats.formats import format_of
from worker.formats.schemas import IdKind, NoSchema, Schema, SchemaId, Schemas
from worker.settings import Settings

MONEY = {"type": "record", "name": "Money", "namespace": "c", "fields": [{"name": "cents", "type": "long"}]}
ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "s",
    "fields": [{"name": "id", "type": "string"}, {"name": "total", "type": "c.Money"}],
}


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[Client]:
    settings = Settings.model_validate({"schema_registry": {"url": registry.url}})
    client = Client(settings.schema_registry)
    yield client
    await client.close()


@pytest.fixture
def confluent(registry: Registry) -> Iterator[SchemaRegistryClient]:
    """The client of confluent-kafka, as producers use it."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        yield client


def registered(confluent: SchemaRegistryClient, subject: str) -> int:
    """Register an order that refers to an amount; returns the order's id."""
    confluent.register_schema(f"{subject}-money", ClientSchema(json.dumps(MONEY), "AVRO"))
    references = [SchemaReference("c.Money", f"{subject}-money", 1)]
    return confluent.register_schema(subject, ClientSchema(json.dumps(ORDER), "AVRO", references))


def meta_of(registry: Registry, artifact: str) -> dict[str, Any]:
    """What Apicurio's own API says of an artifact."""
    url = f"{registry.base}/apis/registry/v2/groups/default/artifacts/{artifact}/meta"
    with urllib.request.urlopen(url) as response:
        meta: dict[str, Any] = json.load(response)
    return meta


async def test_a_schema_with_references_by_every_id_that_the_registry_has(
    registry: Registry, client: Client, confluent: SchemaRegistryClient
) -> None:
    id_ = registered(confluent, "orders-value")
    meta = await asyncio.to_thread(meta_of, registry, "orders-value")
    for each in (
        SchemaId(IdKind.CONFLUENT, id_),
        SchemaId(IdKind.CONTENT, meta["contentId"]),
        SchemaId(IdKind.GLOBAL, meta["globalId"]),
    ):
        found = await client.fetch(each)
        assert isinstance(found, Schema), each
        assert json.loads(found.text) == ORDER
        assert [reference.name for reference in found.references] == ["c.Money"]
        assert json.loads(found.references[0].schema.text) == MONEY


@pytest.mark.parametrize("kind", [IdKind.CONFLUENT, IdKind.CONTENT, IdKind.GLOBAL])
async def test_an_id_that_the_registry_does_not_know(client: Client, kind: IdKind) -> None:
    found = await client.fetch(SchemaId(kind, 999_999))
    assert isinstance(found, NoSchema)
    assert found.unknown


async def test_what_confluents_serializer_writes_is_read(
    client: Client, confluent: SchemaRegistryClient
) -> None:
    id_ = registered(confluent, "reads-value")
    references = [SchemaReference("c.Money", "reads-value-money", 1)]
    serialize = AvroSerializer(confluent, ClientSchema(json.dumps(ORDER), "AVRO", references))
    event = {"id": "o-1", "total": {"cents": 2**62}}
    value = serialize(event, SerializationContext("reads", MessageField.VALUE))
    schemas = Schemas()
    schemas.put(SchemaId(IdKind.CONFLUENT, id_), await client.fetch(SchemaId(IdKind.CONFLUENT, id_)))
    assert format_of(Encoding("avro"), schemas).decode(value) == event
