"""What only a real broker does: transactions, retention, deletion, new topics, restarts."""

from __future__ import annotations

import time
from typing import cast

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.source_worlds import KafkaWorld, Member, joined, partitions, until
from worker.adapters.kafka import routine_checks
from worker.adapters.kafka.assignment import to_partitions
from worker.adapters.kafka.source import KafkaSource

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["classic", "consumer"])
def world(request: pytest.FixtureRequest, kafka: KafkaClient) -> KafkaWorld:
    if request.param == "classic":
        return KafkaWorld(kafka, heartbeat_interval_ms="300")
    return KafkaWorld(kafka, group_protocol="consumer")


@pytest.fixture
def classic(kafka: KafkaClient) -> KafkaWorld:
    return KafkaWorld(kafka, heartbeat_interval_ms="300")


@pytest.mark.essential
async def test_the_position_moves_past_transaction_markers_and_aborted_records(world: KafkaWorld) -> None:
    topic = world.client.create_topic()
    world.client.append_in_transaction(topic, [b"{}"] * 3)
    world.client.append_in_transaction(topic, [b"{}"] * 3, commit=False)
    world.client.append_in_transaction(topic, [b"{}"])
    member = await joined(world, topic)
    # 3 records, a marker, 3 aborted ones, a marker, 1 record, a marker.
    await until(lambda: member.positions == {(topic, 0): 10}, member)
    assert member.offsets((topic, 0)) == [0, 1, 2, 8]
    assert member.assignments.starts[topic, 0].end == 10
    await member.source.close()


@pytest.mark.essential
async def test_records_deleted_by_retention_above_the_committed_offset_are_reported_as_lost(
    classic: KafkaWorld,
) -> None:
    topic = classic.client.create_topic()
    classic.client.append(topic, 0, [b"{}"] * 20)
    first = await joined(classic, topic)
    await first.source.commit({(topic, 0): 5})
    await first.source.close()
    classic.client.delete_before(topic, 0, 12)
    second = await joined(classic, topic)
    await until(lambda: len(second.records) == 8, second)
    assert second.assignments.starts[topic, 0].offset == 12
    assert second.offsets((topic, 0))[0] == 12
    assert classic.telemetry.of("records_lost") == [(topic, 0, 7)]
    await second.source.close()


async def test_records_deleted_by_retention_ahead_of_a_paused_partition_are_reported_as_lost(
    classic: KafkaWorld,
) -> None:
    topic = classic.client.create_topic()
    classic.client.append(topic, 0, [b"{}"] * 20)
    member = await joined(classic, topic)
    await until(lambda: len(member.records) == 5, member, limit=5)
    await until_paused(member)
    classic.client.delete_before(topic, 0, 12)
    await until(lambda: len(member.records) == 13, member)
    assert member.offsets((topic, 0)) == [*range(5), *range(12, 20)]
    assert classic.telemetry.of("records_lost") == [(topic, 0, 7)]
    await member.source.close()


async def test_a_truncated_log_is_read_from_its_beginning(classic: KafkaWorld) -> None:
    topic = classic.client.create_topic()
    classic.client.append(topic, 0, [b"{}"] * 3)
    first = await joined(classic, topic)
    await first.source.commit({(topic, 0): 50})
    await first.source.close()
    second = await joined(classic, topic)
    await until(lambda: len(second.records) == 3, second)
    assert second.assignments.starts[topic, 0].offset == 0
    await second.source.close()


@pytest.mark.essential
async def test_a_pattern_finds_a_topic_that_is_created_later(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, topic_metadata_refresh_interval_ms="200", heartbeat_interval_ms="300")
    topic = world.create_topic()
    member = await joined(world, f"^{topic}.*$")
    await until(lambda: member.owned == partitions(topic), member)
    kafka.create_topic(1, f"{topic}-later")
    kafka.append(f"{topic}-later")
    await until(lambda: len(member.records) == 1, member)
    assert member.records[0].topic() == f"{topic}-later"
    await member.source.close()


async def test_a_deleted_topic_is_reported_and_does_not_stop_the_source(
    kafka: KafkaClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routine_checks, "CHECK_HEALTHY_SECONDS", 0.3)
    world = KafkaWorld(kafka, topic_metadata_refresh_interval_ms="200", heartbeat_interval_ms="300")
    kept, deleted = world.create_topic(), world.create_topic()
    member = await joined(world, kept, deleted)
    await until(lambda: member.owned == partitions(kept) | partitions(deleted), member)
    kafka.delete_topic(deleted)
    await until(lambda: bool(problems(member)), member)
    assert problems(member) == ["TOPIC_MISSING"]
    kafka.append(kept)
    await until(lambda: len(member.records) == 1, member)
    await member.source.close()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_a_member_that_gets_no_partitions_has_joined(kafka: KafkaClient, protocol: str) -> None:
    world = KafkaWorld(kafka, group_protocol=protocol)
    topic = kafka.create_topic()
    first = await joined(world, topic)
    await until(lambda: first.owned == {(topic, 0)}, first)
    second = Member(world.source(topic))
    await second.source.open(second.assignments)
    await until(lambda: bool(second.assignments.events or first.owned == set()), first, second)
    members = sorted((first, second), key=lambda member: len(member.owned))
    await until(lambda: members[0].source.joined, first, second)  # type: ignore[attr-defined] # KafkaSource's own
    await first.source.close()
    await second.source.close()


async def test_a_member_that_gets_partitions_while_it_closes_leaves_the_group(world: KafkaWorld) -> None:
    """It does not look their start offsets up any more, but must give them up like the others."""
    topic = world.client.create_topic(2)
    leaving = await joined(world, topic)
    other = Member(world.source(topic))
    await other.source.open(other.assignments)
    await until(lambda: len(leaving.owned) == len(other.owned) == 1, leaving, other)
    source = cast("KafkaSource", leaving.source)
    membership = source._member
    membership.stop_waiting()
    await other.source.close()
    await until(lambda: membership._must_rejoin, leaving)
    assert set(to_partitions(source._consumer.assignment())) == partitions(topic, range(2))
    await leaving.source.close()
    assert not leaving.owned


async def test_an_eager_group_revokes_everything_and_continues_where_it_was(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, partition_assignment_strategy="range", heartbeat_interval_ms="300")
    topic = world.create_topic()
    for number in range(4):
        world.append(topic, number, 5)
    first = await joined(world, topic)
    await until(lambda: len(first.records) == 20, first)
    first.assignments.to_commit = dict.fromkeys(partitions(topic), 5)
    second = Member(world.source(topic))
    await second.source.open(second.assignments)
    await until(lambda: len(first.owned) == len(second.owned) == 2, first, second)
    assert ("revoked", sorted(partitions(topic))) in first.assignments.events
    for number in range(4):
        world.append(topic, number, 1)
    await until(lambda: len(first.records) + len(second.records) == 24, first, second)
    await first.source.close()
    await second.source.close()


async def test_paused_partitions_learn_of_new_records_for_their_lag(classic: KafkaWorld) -> None:
    topic = classic.client.create_topic()
    member = await joined(classic, topic)
    source = member.source
    assert source.lags() == {(topic, 0): 0}  # type: ignore[attr-defined] # KafkaSource's own
    await until_paused(member)
    classic.client.append(topic, 0, [b"{}"] * 3)
    await until(lambda: source.lags() == {(topic, 0): 3}, member, limit=0)  # type: ignore[attr-defined] # the same
    await source.commit({(topic, 0): 1})
    assert source.lags() == {(topic, 0): 2}  # type: ignore[attr-defined] # the same
    await source.close()


async def test_the_source_waits_for_a_broker_that_restarts(own_kafka: KafkaCluster) -> None:
    client = KafkaClient(own_kafka.bootstrap_servers)
    world = KafkaWorld(client, heartbeat_interval_ms="300", reconnect_backoff_max_ms="500")
    topic = world.create_topic()
    world.append(topic, 0, 5)
    member = await joined(world, topic)
    await until(lambda: len(member.records) == 5, member)
    await member.source.commit({(topic, 0): 5})
    own_kafka.kill()
    await until(lambda: "KAFKA_UNREACHABLE" in problems(member), member)
    own_kafka.start()
    world.append(topic, 0, 5)
    await until(lambda: len(member.records) == 10, member)
    await until(lambda: not problems(member), member)
    await member.source.commit({(topic, 0): 10})
    assert world.committed((topic, 0)) == 10
    await member.source.close()


async def until_paused(member: Member) -> None:
    """Leave no room until the partitions are paused."""
    begun = time.monotonic()
    await until(lambda: time.monotonic() - begun > 1.3, member, limit=0)


def problems(member: Member) -> list[str]:
    return [each["reason"] for each in member.source.problems()]  # type: ignore[attr-defined] # KafkaSource's own
