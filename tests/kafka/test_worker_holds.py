"""Limits: on dead letters from a topic of broken records, and on memory while the API is down."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.ledger import header
from tests.support.worker_process import PATIENCE_SECONDS, Site, until
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

MIB = 1024 * 1024


async def test_a_topic_of_broken_records_halts_the_worker_and_unwritten_dead_letters_are_read_again(
    site: Site, kafka: KafkaClient
) -> None:
    site.change("dead_letters", halt_after_consecutive=20)
    worker = await site.started()
    site.produce(10)
    await site.delivered()
    kafka.append(site.topic, 1, [b"{broken %d" % n for n in range(300)])
    await worker.not_ready_for("DEAD_LETTER_STORM")
    assert worker.told("storm_broke")[0]["consecutive"] == 20
    await until(lambda: site.committed()[1] == 5 + len(site.ledger.dead_letters()))
    assert 20 <= len(site.ledger.dead_letters()) < 300
    # Another member can join only if this one continues to poll, and so takes part in the rebalance.
    other = await site.joined()
    assert worker.told("partitions_revoked")
    assert await worker.reasons() == ["DEAD_LETTER_STORM"]
    assert await worker.stop() == 1
    await other.stop()
    assert site.committed()[1] == 5 + len(site.ledger.dead_letters()) < 305

    site.change("dead_letters", halt_after_consecutive=1000, halt_above_ratio=1.0)
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.committed() == site.ends()
    dead_letters = {
        dead_letter.value(): header(dead_letter, "__connect.errors.offset")
        for dead_letter in site.ledger.dead_letters()
    }
    assert dead_letters == {b"{broken %d" % n: str(5 + n) for n in range(300)}
    assert len(site.ledger.dead_letters()) == 300


async def test_a_job_exits_1_when_the_storm_breaker_trips(site: Site, kafka: KafkaClient) -> None:
    site.change("dead_letters", halt_above_ratio=0.3, window=20)
    event = site.ledger.event
    kafka.append(site.topic, values=[each for _ in range(40) for each in (event("ada.lovelace"), b"{broken")])
    assert await site.run_job() == 1
    assert site.workers[0].told("storm_broke")
    site.change("dead_letters", window=1000)
    assert await site.run_job() == 0
    site.ledger.check()


async def test_a_backlog_with_some_broken_records_is_no_storm(site: Site, kafka: KafkaClient) -> None:
    site.change("dead_letters", halt_after_consecutive=20, window=100)
    for _ in range(50):
        site.produce(18)
        kafka.append(site.topic, 1, [b"{broken"] * 2)
    assert await site.run_job() == 0
    site.ledger.check()
    assert len(site.ledger.dead_letters()) == 100


async def test_bytes_in_progress_stay_within_the_limit_and_one_record_while_the_api_is_down(
    site: Site, emulator: Emulator
) -> None:
    limit, text = 2_000_000, 10_000
    site.change("memory", max_bytes=limit)
    await emulator.stop()
    site.ledger.text = "x" * text
    site.produce(1000, people=100)
    worker = await site.started()
    seen = [0]

    async def full() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (status := await worker.status())["paused"]:
                seen.append(status["in_progress"]["bytes"])

    await full()
    retries = (await worker.status())["totals"]["requests"]["connection"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (status := await worker.status())["totals"]["requests"]["connection"] < retries + 10:
            seen.append(status["in_progress"]["bytes"])
    one_record = 2 * text + 2000  # its value, and the call that is made of it
    assert limit <= max(seen) <= limit + one_record


async def test_memory_is_bounded_while_the_api_is_down_and_the_partitions_are_kept(
    site: Site, emulator: Emulator
) -> None:
    site.change_property("session.timeout.ms", 3000)
    site.change_property("max.poll.interval.ms", 3000)
    site.change("batch", max_calls=2000)
    await emulator.stop()
    site.ledger.text = "x" * 320
    site.produce(50_000, people=1000)
    worker = await site.started()
    await worker.consumed(50_000)
    retries = (await worker.status())["totals"]["requests"]["connection"]
    peak = 0
    # So many refused connections, with the back-off between them, take longer than `max.poll.interval.ms`.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await worker.status())["totals"]["requests"]["connection"] < retries + 30:
            peak = max(peak, worker.resident_bytes)
            await asyncio.sleep(0.05)
    assert peak < 300 * MIB
    assert len(worker.told("partitions_assigned")) == 1
    assert not worker.told("partitions_lost")
