"""One suite for three implementations: what the simulations assume about a source is true of a real Kafka too."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.source_worlds import KafkaWorld, Member, MemoryWorld, World, joined, partitions, until
from worker.pipeline.ports import CommitFailed, SourceFailed

T0 = int(time.time() * 1000) - 3_600_000
"""An hour ago: the topic's retention would delete records that are much older."""


MEMORY = pytest.param("memory", marks=pytest.mark.essential)
CLASSIC = pytest.param("classic", marks=[pytest.mark.kafka, pytest.mark.essential])
KIP848 = pytest.param("kip848", marks=pytest.mark.kafka)


@pytest.fixture(params=[MEMORY, "embedded", CLASSIC, KIP848])
def world(request: pytest.FixtureRequest) -> World:
    match request.param:
        case "memory":
            return MemoryWorld()
        case "embedded":
            cluster = request.getfixturevalue("embedded")
            return KafkaWorld(KafkaClient(cluster.bootstrap_servers), cluster, group_protocol="consumer")
        case "classic":
            return KafkaWorld(request.getfixturevalue("kafka"), heartbeat_interval_ms="300")
        case _:
            return KafkaWorld(request.getfixturevalue("kafka"), group_protocol="consumer")


async def test_every_record_is_fetched_once_in_order_and_the_end_is_reported(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 300)
    world.append(topic, 2, 50)
    member = await joined(world, topic)
    ends = {(topic, 0): 300, (topic, 1): 0, (topic, 2): 50, (topic, 3): 0}
    await until(lambda: member.positions == ends and len(member.records) == 350, member, limit=100)
    assert member.offsets((topic, 0)) == list(range(300))
    assert member.offsets((topic, 2)) == list(range(50))
    await member.source.close()


async def test_an_assignment_reports_where_it_starts_and_ends(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 1, 7)
    member = await joined(world, topic)
    await until(lambda: member.owned == partitions(topic), member)
    start = member.assignments.starts[topic, 1]
    assert (start.offset, start.committed, start.end) == (0, None, 7)
    await member.source.close()


async def test_no_fetch_returns_more_than_its_limit(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 30)
    member = await joined(world, topic)
    while len(member.records) < 30:
        assert await member.fetch(7) <= 7
    await member.source.close()


async def test_a_restart_continues_at_the_committed_offset(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 10)
    first = await joined(world, topic)
    await until(lambda: len(first.records) == 10, first)
    await first.source.commit({(topic, 0): 4})
    await first.source.close()
    second = await joined(world, topic)
    await until(lambda: len(second.records) == 6, second)
    assert second.assignments.starts[topic, 0].committed == 4
    assert second.offsets((topic, 0)) == [4, 5, 6, 7, 8, 9]
    await second.source.close()


async def test_closing_commits_what_the_pipeline_returns(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 3, 5)
    member = await joined(world, topic)
    await until(lambda: len(member.records) == 5, member)
    member.assignments.to_commit = {(topic, 3): 5}
    await member.source.close()
    assert member.owned == set()
    assert world.committed((topic, 3)) == 5


async def test_a_second_member_continues_where_the_first_stopped(world: World) -> None:
    topic = world.create_topic()
    for number in range(4):
        world.append(topic, number, 5)
    first = await joined(world, topic)
    await until(lambda: len(first.records) == 20, first)
    first.assignments.to_commit = dict.fromkeys(partitions(topic), 3)
    second = await joined_beside(world, topic, first)
    # No partition has two owners, and revoked ones continue at the offset that `revoked` returned.
    assert first.owned | second.owned == partitions(topic)
    assert first.owned & second.owned == set()
    assert {second.assignments.starts[each].offset for each in second.owned} == {3}
    await until(lambda: all(second.offsets(each) == [3, 4] for each in second.owned), first, second)
    await first.source.close()
    await second.source.close()


async def test_partitions_come_back_when_a_member_leaves(world: World) -> None:
    topic = world.create_topic()
    first = await joined(world, topic)
    second = await joined_beside(world, topic, first)
    await second.source.close()
    await until(lambda: first.owned == partitions(topic), first)
    await first.source.close()


async def test_with_memory_full_nothing_is_fetched_and_nothing_is_lost(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 100)
    member = await joined(world, topic)
    await until(lambda: len(member.records) >= 10, member, limit=10)
    had = len(member.records)
    for _ in range(24):  # long enough for the partitions to be paused
        await member.fetch(0)
    assert len(member.records) == had
    world.append(topic, 0, 20)
    await until(lambda: len(member.records) == 120, member)
    assert member.offsets((topic, 0)) == list(range(120))
    await member.source.close()


async def test_records_are_fetched_once_even_if_memory_is_often_full(world: World) -> None:
    topic = world.create_topic()
    for number in (0, 1):
        world.append(topic, number, 20)
    member = await joined(world, topic)
    await until(lambda: len(member.records) == 40, member)
    for _ in range(2):
        for _ in range(24):  # long enough for the partitions to be paused
            await member.fetch(0)
        await member.fetch(10)  # resumed, with nothing to read
    world.append(topic, 0, 1)
    world.append(topic, 1, 1)
    await until(lambda: all(20 in member.offsets((topic, number)) for number in (0, 1)), member)
    assert [member.offsets((topic, number)) for number in (0, 1)] == [list(range(21))] * 2
    await member.source.close()


async def test_latest_skips_existing_records(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 10)
    member = await joined(world, topic, start_from="latest")
    await until(lambda: member.owned == partitions(topic), member)
    world.append(topic, 0, 2)
    await until(lambda: len(member.records) == 2, member)
    assert member.offsets((topic, 0)) == [10, 11]
    await member.source.close()


# librdkafka's mock cluster finds no record by its time.
@pytest.mark.parametrize("world", [MEMORY, CLASSIC, KIP848], indirect=True)
async def test_a_point_in_time_starts_at_its_first_record(world: World) -> None:
    topic = world.create_topic()
    world.append(topic, 0, 5, T0)
    world.append(topic, 0, 5, T0 + 60_000)
    begin = datetime.fromtimestamp(T0 / 1000 + 30, UTC).isoformat()
    member = await joined(world, topic, start_from=begin)
    await until(lambda: len(member.records) == 5, member)
    assert member.offsets((topic, 0)) == [5, 6, 7, 8, 9]
    # A partition whose records are all older starts at its end.
    assert member.assignments.starts[topic, 1].offset == 0
    await member.source.close()


async def test_a_missing_topic_fails_immediately(world: World) -> None:
    with pytest.raises(SourceFailed, match="no-such-topic"):
        await joined(world, "no-such-topic")


async def test_a_pattern_that_matches_nothing_joins_without_partitions(world: World) -> None:
    member = await joined(world, "^no-such-.*$")
    assert member.assignments.events == [("assigned", [])]
    assert member.source.joined  # type: ignore[attr-defined] # of both kinds of source
    await member.source.close()


# The in-memory fake treats such a commit as a bug in the pipeline.
@pytest.mark.parametrize("world", ["embedded", CLASSIC, KIP848], indirect=True)
async def test_a_commit_after_the_partition_was_revoked_changes_nothing(world: World) -> None:
    topic = world.create_topic()
    member = await joined(world, topic)
    await member.source.commit({("another-topic", 0): 3})
    assert world.committed(("another-topic", 0)) is None
    await member.source.close()


async def test_the_fake_fails_commits_on_request() -> None:
    world = MemoryWorld()
    topic = world.create_topic()
    member = await joined(world, topic)
    assert isinstance(member.source, MemoryWorld().source(topic).__class__)
    member.source.commit_failures = 1  # type: ignore[attr-defined] # the fake's own
    with pytest.raises(CommitFailed):
        await member.source.commit({(topic, 0): 0})
    await member.source.commit({(topic, 0): 0})
    assert world.committed((topic, 0)) == 0


async def joined_beside(world: World, topic: str, first: Member) -> Member:
    """A second member, once the group has divided the partitions evenly."""
    second = Member(world.source(topic))
    await second.source.open(second.assignments)
    await until(lambda: len(first.owned) == len(second.owned) == 2, first, second)
    return second
