"""`start_from: latest`: the ends at the group's first start; later topics and partitions from their beginning."""

from __future__ import annotations

import time

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.source_worlds import KafkaWorld, joined, partitions, until

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["classic", "consumer"])
def world(request: pytest.FixtureRequest, kafka: KafkaClient) -> KafkaWorld:
    if request.param == "classic":
        return KafkaWorld(kafka, heartbeat_interval_ms="300", topic_metadata_refresh_interval_ms="200")
    return KafkaWorld(kafka, group_protocol="consumer", topic_metadata_refresh_interval_ms="200")


async def test_the_ends_are_committed_at_the_first_start_and_nothing_after_them_is_skipped(
    world: KafkaWorld,
) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 10)
    first = await joined(world, topic, start_from="latest")
    await until(lambda: first.owned == partitions(topic), first)
    assert [world.committed((topic, number)) for number in range(4)] == [10, 0, 0, 0]
    await first.source.close()
    world.append(topic, 0, 3)
    world.append(topic, 1, 2)
    second = await joined(world, topic, start_from="latest")
    await until(lambda: len(second.records) == 5, second)
    await second.source.close()


async def test_a_topic_and_a_partition_that_are_created_later_are_read_from_their_beginning(
    world: KafkaWorld,
) -> None:
    topic = world.client.create_topic()
    world.append(topic, 0, 10)
    member = await joined(world, f"^{topic}.*$", start_from="latest")
    await until(lambda: bool(member.owned), member)
    later = world.client.create_topic(name=f"{topic}-later")
    world.append(later, 0, 3, timestamp=1)
    world.append(later, 0, 4)
    world.client.add_partitions(topic, 2)
    # A new client, because the other one's producer knows only one partition.
    KafkaClient(world.client.servers).append(topic, 1, [b"{}"] * 5)
    await until(lambda: len(member.records) == 9, member)
    assert member.offsets((later, 0)) == [3, 4, 5, 6]
    assert member.offsets((topic, 1)) == [0, 1, 2, 3, 4]
    await member.source.close()


async def test_every_member_learns_from_the_commits_when_the_group_first_started(world: KafkaWorld) -> None:
    topic = world.client.create_topic()
    world.append(topic, 0, 10)
    first = await joined(world, f"^{topic}.*$", start_from="latest")
    await until(lambda: bool(first.owned), first)
    world.append(topic, 0, 1)
    await until(lambda: len(first.records) == 1, first)
    await first.source.commit({(topic, 0): 11})
    await first.source.close()
    later = world.client.create_topic(name=f"{topic}-later")
    world.append(later, 0, 4)
    second = await joined(world, f"^{topic}.*$", start_from="latest")
    await until(lambda: second.offsets((later, 0)) == [0, 1, 2, 3], second)
    assert second.offsets((topic, 0)) == []
    await second.source.close()


async def test_a_pattern_that_matches_nothing_at_the_first_start_skips_nothing_later(
    world: KafkaWorld,
) -> None:
    name = f"late-{time.monotonic_ns()}"
    member = await joined(world, f"^{name}$", start_from="latest")
    world.client.create_topic(name=name)
    world.append(name, 0, 4)
    await until(lambda: len(member.records) == 4, member)
    await member.source.close()
