"""A process that was stopped for longer than its session sends no calls of partitions that it has lost."""

from __future__ import annotations

import signal

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.source_worlds import KafkaWorld, joined
from tests.support.worker_process import Site, until
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_a_worker_stopped_for_longer_than_its_session_sends_no_calls_of_lost_partitions(
    site: Site, kafka: KafkaClient, emulator: Emulator, protocol: str
) -> None:
    if protocol == "classic":
        site.change_property("session.timeout.ms", 3000)
    else:
        site.change("kafka", properties={"group.protocol": "consumer"})
        kafka.set_session_timeout(site.group, 3000)
    site.change("batch", max_calls=10)
    # Requests wait for the rate limit, so several are ready to be sent when the process continues.
    site.change("rate_limit", requests=1, per="1s")
    first = await site.started()
    site.produce(400)
    await first.consumed(400)
    await until(lambda: emulator.traffic.total >= 2)
    first.signal(signal.SIGSTOP)
    site.change("rate_limit", requests=3000, per="3s")
    second = await site.joined()
    await site.delivered()
    await until(lambda: site.committed() == site.ends())
    answered = emulator.traffic.total
    first.signal(signal.SIGCONT)
    await until(lambda: first.told("partitions_lost"))
    await first.ready()
    assert await first.stop() == 0
    assert emulator.traffic.total == answered
    assert await second.stop() == 0
    site.ledger.check()


async def test_a_worker_stopped_within_its_session_continues(site: Site, emulator: Emulator) -> None:
    site.change("batch", max_calls=10)
    site.change("rate_limit", requests=2, per="1s")
    worker = await site.started()
    site.produce(100)
    await until(lambda: emulator.traffic.total >= 2)
    worker.signal(signal.SIGSTOP)
    worker.signal(signal.SIGCONT)
    await site.delivered()
    await worker.ready()
    assert await worker.stop() == 0
    assert site.ledger.repeated == 0


async def test_the_session_timeout_of_a_kip_848_group_is_read_from_the_brokers(kafka: KafkaClient) -> None:
    world = KafkaWorld(kafka, group_protocol="consumer")
    topic = world.create_topic()
    member = await joined(world, topic)
    assert member.source.session_timeout == 45
    await member.source.close()
    kafka.set_session_timeout(world.group, 4000)
    member = await joined(world, topic)
    assert member.source.session_timeout == 4
    await member.source.close()
