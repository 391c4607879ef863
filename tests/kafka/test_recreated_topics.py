"""A topic that is deleted and created again under its name is read from its beginning."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.support.kafka_client import SECONDS, KafkaClient
from tests.support.source_worlds import KafkaWorld, joined, until
from worker.adapters.kafka import topic_ids
from worker.adapters.kafka.commit_notes import parse_note

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["classic", "consumer"])
def world(request: pytest.FixtureRequest, kafka: KafkaClient) -> KafkaWorld:
    if request.param == "classic":
        return KafkaWorld(kafka, heartbeat_interval_ms="300", topic_metadata_refresh_interval_ms="200")
    return KafkaWorld(kafka, group_protocol="consumer", topic_metadata_refresh_interval_ms="200")


async def test_a_recreated_topic_that_is_longer_than_what_was_read_is_read_from_its_beginning(
    world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_ids, "WATCH_SECONDS", 0.2)
    topic = world.client.create_topic()
    world.append(topic, 0, 5)
    member = await joined(world, topic)
    await until(lambda: len(member.records) == 5, member)
    await member.source.commit({(topic, 0): 5})
    recreate(world.client, topic)
    world.append(topic, 0, 20)
    await until(lambda: member.offsets((topic, 0))[-20:] == list(range(20)), member)
    assert (topic, 0) in world.telemetry.of("partition_restarted")
    assert world.telemetry.of("records_lost") == []
    await member.source.commit({(topic, 0): 20})
    assert world.committed((topic, 0)) == 20
    await member.source.close()


async def test_an_offset_committed_for_the_deleted_topic_is_not_used_for_the_new_one(
    world: KafkaWorld,
) -> None:
    topic = world.client.create_topic()
    world.append(topic, 0, 5)
    first = await joined(world, topic)
    await until(lambda: len(first.records) == 5, first)
    await first.source.commit({(topic, 0): 5})
    await first.source.close()
    old = committed(world, topic)
    assert parse_note(old.metadata).topic_id is not None
    recreate(world.client, topic)
    world.append(topic, 0, 20)
    commit(world, old)
    second = await joined(world, topic)
    await until(lambda: len(second.records) == 20, second)
    assert second.offsets((topic, 0)) == list(range(20))
    assert world.telemetry.of("partition_restarted") == [(topic, 0)]
    await second.source.commit({(topic, 0): 20})
    await second.source.close()
    third = await joined(world, topic)
    await until(lambda: bool(third.owned), third)
    assert third.assignments.starts[topic, 0].offset == 20
    await third.source.close()


def recreate(client: KafkaClient, topic: str) -> None:
    client.delete_topic(topic)
    while topic in client.admin.list_topics(timeout=SECONDS).topics:
        pass
    client.create_topic(name=topic)


def committed(world: KafkaWorld, topic: str) -> TopicPartition:
    consumer = Consumer({"bootstrap.servers": world.client.servers, "group.id": world.group})
    try:
        found: TopicPartition = consumer.committed([TopicPartition(topic, 0)], timeout=SECONDS)[0]
        return found
    finally:
        consumer.close()


def commit(world: KafkaWorld, place: TopicPartition) -> None:
    consumer = Consumer({"bootstrap.servers": world.client.servers, "group.id": world.group})
    try:
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()
