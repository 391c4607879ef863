"""Kafka clients in a terminal state are replaced, or the worker ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.support.kafka_client import KafkaClient
from tests.support.source_worlds import KafkaWorld, Member, joined, partitions, until
from tests.support.worker_process import Site
from worker.pipeline.ports import SourceFailed

pytestmark = pytest.mark.kafka

STATIC: dict[str, dict[str, Any]] = {
    "classic": {"heartbeat_interval_ms": "300", "group_instance_id": "one"},
    "consumer": {"group_protocol": "consumer", "group_instance_id": "one"},
}


@contextmanager
def rival(world: KafkaWorld, topic: str) -> Iterator[Consumer]:
    """Another process with the same `group.instance.id`."""
    properties = {"bootstrap.servers": world.client.servers, "group.id": world.group, **world.properties}
    if "group.protocol" not in properties:
        properties["partition.assignment.strategy"] = "cooperative-sticky"
    consumer = Consumer({**properties, "log_level": 0})
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def reasons(member: Member) -> set[str]:
    problems: list[dict[str, str]] = member.source.problems()  # type: ignore[attr-defined]
    return {each["reason"] for each in problems}


async def test_a_fenced_static_member_rejoins_and_continues(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, **STATIC["classic"])
    topic = world.create_topic()
    member = await joined(world, topic)
    world.append(topic, 0, 3)
    await until(lambda: len(member.records) == 3, member)
    await member.source.commit({(topic, 0): 3})
    with rival(world, topic) as other:

        def fenced() -> bool:
            other.poll(0)
            return "KAFKA_CLIENT_FAILED" in reasons(member)

        await until(fenced, member)
        assert member.owned == set()
    await until(lambda: member.owned == partitions(topic), member)
    assert reasons(member) == set()
    world.append(topic, 0, 2)
    await until(lambda: len(member.records) == 5, member)
    ((client, why),) = world.telemetry.of("kafka_client_failed")
    assert client == "consumer"
    assert why.startswith("Broker: Static consumer fenced by other consumer with same group.instance.id")
    await member.source.close()


async def test_a_static_member_waits_until_its_id_is_released(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, **STATIC["consumer"])
    topic = world.create_topic()
    member = Member(world.source(topic))
    with rival(world, topic) as other:
        while not other.assignment():
            other.poll(0.1)
        await member.source.open(member.assignments)

        def refused() -> bool:
            other.poll(0)
            return "KAFKA_CLIENT_FAILED" in reasons(member)

        await until(refused, member)
        assert not member.source.joined  # type: ignore[attr-defined]
    await until(lambda: member.owned == partitions(topic), member)
    world.append(topic, 0, 2)
    await until(lambda: len(member.records) == 2, member)
    assert reasons(member) == set()
    await member.source.close()


async def test_an_unknown_assignor_ends_the_source(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, group_protocol="consumer", group_remote_assignor="nonesuch")
    topic = world.create_topic()
    member = Member(world.source(topic))
    await member.source.open(member.assignments)
    with pytest.raises(SourceFailed, match="assignor"):
        await until(lambda: False, member)
    await member.source.close()


async def test_a_worker_with_an_unknown_assignor_exits_1(site: Site) -> None:
    site.change("kafka", properties={"group.protocol": "consumer", "group.remote.assignor": "nonesuch"})
    worker = site.start()
    assert await worker.ended() == 1
    assert "assignor" in worker.told("source_failed")[-1]["message"]
