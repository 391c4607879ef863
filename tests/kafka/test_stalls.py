"""No partition stalls unnoticed: pauses across rebalances, and a client whose state differs from the worker's."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from tests.support.kafka_client import KafkaClient
from tests.support.source_worlds import KafkaWorld, Member, joined, partitions, until
from tests.support.worker_process import PROTOCOLS, Site
from tests.support.worker_process import until as until_seen
from worker.adapters.kafka import stalls
from worker.adapters.kafka.source import KafkaSource
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka

PROPERTIES: dict[str, dict[str, Any]] = {
    "cooperative": {"heartbeat_interval_ms": "300"},
    "eager": {"heartbeat_interval_ms": "300", "partition_assignment_strategy": "range"},
    "consumer": {"group_protocol": "consumer"},
}


@pytest.mark.parametrize("protocol", PROPERTIES)
async def test_a_partition_revoked_while_paused_is_read_when_it_is_assigned_again(
    kafka: KafkaClient, protocol: str
) -> None:
    world = KafkaWorld(kafka, **PROPERTIES[protocol])
    topic = world.create_topic()
    first = await joined(world, topic)
    await until(lambda: first.owned == partitions(topic), first)
    await until(lambda: source(first)._member.assignment.paused, first, limit=0)
    second = Member(world.source(topic))
    await second.source.open(second.assignments)
    await until(lambda: len(first.owned) == 2 and len(second.owned) == 2, first, second, limit=0)
    taken_away = partitions(topic) - first.owned
    await until(lambda: not source(first)._member.assignment.paused, first)
    await second.source.close()
    await until(lambda: first.owned == partitions(topic), first)
    for topic_name, number in taken_away:
        world.append(topic_name, number, 3)
    await until(lambda: len(first.records) == 6, first)
    await first.source.close()


@pytest.mark.parametrize("protocol", PROPERTIES)
async def test_a_partition_that_has_records_and_does_not_advance_is_restarted_and_named(
    kafka: KafkaClient, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(stalls, "LOOK_SECONDS", 0.2)
    world = KafkaWorld(kafka, **PROPERTIES[protocol])
    topic = world.create_topic()
    member = await joined(world, topic)
    await until(lambda: member.owned == partitions(topic), member)
    world.append(topic, 1, 2)
    await until(lambda: len(member.records) == 2, member)
    # The client is paused without the worker knowing it, as some fault may cause.
    source(member)._consumer.pause([TopicPartition(topic, 1)])
    world.append(topic, 1, 3)
    await until(lambda: bool(world.telemetry.of("fetch_stalled")), member)
    await until(lambda: len(member.records) == 5, member)
    assert set(world.telemetry.of("fetch_stalled")) == {(topic, 1)}
    await until(lambda: source(member).problems() == [], member)
    assert member.offsets((topic, 1)) == [0, 1, 2, 3, 4]
    await member.source.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_worker_paused_by_an_outage_reads_partitions_that_a_second_member_had_meanwhile(
    site: Site, emulator: Emulator, protocol: str
) -> None:
    site.change("kafka", properties=PROTOCOLS[protocol])
    site.change("memory", max_records_in_progress=100)
    first = await site.started()
    emulator.faults.add(Fault(status=503, times=None))
    site.produce(400)
    await first.consumed(100)
    failed = emulator.traffic.total
    await until_seen(lambda: emulator.traffic.total > failed + 15)  # long enough for the client to be paused
    second = await site.joined()
    emulator.faults.clear()
    assert await second.stop() == 0
    site.produce(400)
    await site.delivered()
    assert await first.stop() == 0
    assert site.committed() == site.ends()


def source(member: Member) -> KafkaSource:
    assert isinstance(member.source, KafkaSource)
    return member.source
