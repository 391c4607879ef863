"""`kafka.properties` override the worker's defaults, in every client that it makes."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.support.inspection import kafka_problems
from tests.support.kafka_client import KafkaClient
from tests.support.recorded_telemetry import RecordedTelemetry
from tests.support.source_worlds import KafkaWorld, joined, until
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic
from worker.adapters.kafka.reader import KafkaReader
from worker.settings import Kafka, Settings

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    "properties",
    [
        {"message.max.bytes": "2000000"},
        {"message.max.bytes": "9000000"},
        {"receive.message.max.bytes": "5000000"},
        {"receive.message.max.bytes": "500000"},
        {"fetch.max.bytes": "500000"},
        {"socket.timeout.ms": "5000"},
        {"linger.ms": "40000"},
        {"message.timeout.ms": "60000"},
    ],
    ids=lambda properties: "-".join(next(iter(properties.items()))),
)
async def test_every_client_can_be_made_and_works(kafka: KafkaClient, properties: dict[str, str]) -> None:
    topic, dead_letters = kafka.create_topic(), kafka.create_topic(max_message_bytes="2000000")
    kafka.append(topic, 0, [b"{}"] * 5)
    settings = Kafka(bootstrap_servers=kafka.servers, dead_letter_topic=dead_letters, properties=properties)
    world = KafkaWorld(kafka)
    world.properties = properties
    member = await joined(world, topic)
    await until(lambda: len(member.records) == 5, member)
    await member.source.close()
    reader = KafkaReader(Settings(kafka=settings))
    assert len(reader.latest(topic, 10)) == 5
    scan = reader.scan(topic, reader.bounds(topic), 10)
    read = 0
    while scan.left:
        read += len(scan.take(100).records)
    assert read == 5
    reader.close()
    assert kafka_problems(settings, [topic]) == []
    writer = DeadLetterTopic(settings, cast("Any", RecordedTelemetry()))
    assert await writer.write([]) == []
    await writer.close()


@pytest.mark.parametrize(("limit", "expected"), [(12, 12), (100, 17), (1, 1)])
def test_all_records_are_read_from_partitions_of_uneven_length(
    kafka: KafkaClient, limit: int, expected: int
) -> None:
    topic = kafka.create_topic(partitions=4)
    for number, count in enumerate((9, 1, 0)):
        kafka.append(topic, number, [b"{}"] * count)
    for count in (3, 0, 4):
        kafka.append_in_transaction(topic, [b"{}"] * count, commit=True)
        kafka.append_in_transaction(topic, [b"{}"] * 5, commit=False)
    reader = KafkaReader(Settings(kafka=Kafka(bootstrap_servers=kafka.servers)))
    found = [(each.partition(), each.offset()) for each in reader.latest(topic, limit)]
    reader.close()
    assert len(found) == expected
    assert found == sorted(set(found))
