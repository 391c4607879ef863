"""Crashes, rebalances, outages and refused calls on a real Kafka: nothing is lost, and each key keeps its order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.kafka.conftest import leave
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.worker_process import PROTOCOLS, Site, until
from worker.emulator import Emulator, Fault, StrictBatches

pytestmark = pytest.mark.kafka


@pytest.mark.essential
async def test_a_worker_killed_in_the_middle_loses_nothing_and_repeats_the_same_bytes(
    site: Site, emulator: Emulator
) -> None:
    site.change_property("session.timeout.ms", 3000)
    site.change("delivery", max_requests_in_flight=2)
    emulator.faults.add(Fault(delay=0.05, times=None))
    site.produce(2000)
    for goal in (200, 700):
        worker = site.start()
        await site.taken(goal)
        worker.kill()
        assert not site.ledger.is_delivered()
    emulator.faults.clear()
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.ledger.repeated > 0
    assert site.committed() == site.ends()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_keys_keep_their_order_while_members_join_and_leave(
    site: Site, emulator: Emulator, protocol: str
) -> None:
    site.change("kafka", properties=PROTOCOLS[protocol])
    emulator.faults.add(Fault(delay=0.02, times=None))
    first = await site.started()
    site.produce(1000)
    await site.taken(100)
    second = await site.joined()
    site.produce(1000)
    await site.taken(1200)
    assert await first.stop() == 0
    site.produce(500)
    await site.delivered()
    assert await second.stop() == 0
    assert site.committed() == site.ends()
    assert site.ledger.repeated == 0


async def test_the_worker_waits_for_a_broker_that_restarts(
    tmp_path: Path, own_kafka: KafkaCluster, emulator: Emulator
) -> None:
    site = Site(tmp_path, KafkaClient(own_kafka.bootstrap_servers), emulator)
    site.change_property("reconnect.backoff.max.ms", 300)
    emulator.faults.add(Fault(delay=0.05, times=None))
    worker = await site.started()
    site.produce(1500)
    await site.taken(100)
    await asyncio.to_thread(own_kafka.restart)
    site.produce(500)
    await site.delivered()
    await worker.ready()
    assert await worker.stop() == 0
    assert site.committed() == site.ends()
    leave(site)


async def test_the_worker_waits_for_an_api_that_is_down(site: Site, emulator: Emulator) -> None:
    port = int(emulator.address.rpartition(":")[2])
    worker = await site.started()
    await emulator.stop()
    site.produce(500)
    await until(lambda: worker.told("request_retried"))
    assert worker.told("request_retried")[0]["reason"] == "connection"
    assert await worker.reasons() == []
    await emulator.start(port=port)
    await site.delivered()
    assert await worker.stop() == 0
    assert site.ledger.dead_letters() == []


async def test_retry_after_keeps_all_requests_back_for_as_long_as_it_says(
    site: Site, emulator: Emulator
) -> None:
    emulator.faults.add(Fault(status=429, retry_after=2, times=1))
    site.change("delivery", max_requests_in_flight=1)
    site.produce(500)
    assert await site.run_job() == 0
    site.ledger.check()
    refused, *others = emulator.traffic.last
    assert refused.status == 429
    assert min(each.at for each in others) - refused.at >= 2


async def test_a_rejected_key_holds_delivery_until_it_works_again(site: Site, emulator: Emulator) -> None:
    site.change_property("session.timeout.ms", 1500)
    site.change_property("max.poll.interval.ms", 1500)
    site.change("batch", max_calls=10)
    worker = await site.started()
    emulator.faults.add(Fault(status=401, times=None))
    site.produce(250)
    await worker.not_ready_for("UNAUTHORIZED")
    site.kafka.append(site.topic, values=[b"{broken"])
    site.produce(250)
    held_at = emulator.traffic.total
    # So many probes take longer than `max.poll.interval.ms`.
    await until(lambda: emulator.traffic.total > held_at + 20)
    assert await worker.reasons() == ["UNAUTHORIZED"]
    assert (await worker.status())["totals"]["consumed"] == 501
    assert site.ledger.dead_letters() == []
    assert site.ledger.taken == 0
    emulator.faults.clear()
    await site.delivered()
    await worker.ready()
    assert len(worker.told("partitions_assigned")) == 1
    assert await worker.stop() == 0
    assert [each.value() for each in site.ledger.dead_letters()] == [b"{broken"]
    assert site.committed() == site.ends()


@pytest.mark.parametrize("strict_batches", list(StrictBatches))
async def test_a_bad_call_is_dead_lettered_alone_in_either_strict_mode_behaviour(
    site: Site, emulator: Emulator, strict_batches: StrictBatches
) -> None:
    emulator._api.strict_batches = strict_batches
    emulator.faults.add(Fault(status=400, errors=["no such thing"], times=None, match={"userId": "bad"}))
    site.produce(100)
    site.kafka.append(site.topic, values=[b'{"type": "happened", "person": "bad", "n": 0}'], key=b"k")
    site.produce(100)
    assert await site.run_job() == 0
    site.ledger.check()
    (dead_letter,) = site.ledger.dead_letters()
    assert dead_letter.key() == b"k"


async def test_lost_responses_cause_duplicates_and_nothing_else(site: Site, emulator: Emulator) -> None:
    site.change("pipelines", timeout="1s")
    for fault in (Fault(reset=True, after=True, times=5, every=2), Fault(truncate=True, after=True, times=5)):
        emulator.faults.add(fault)
    emulator.faults.add(Fault(stall=True, after=True, times=1))
    site.produce(1000)
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.ledger.repeated > 0


async def test_the_rate_limit_is_kept_as_the_api_counts_it(site: Site, emulator: Emulator) -> None:
    emulator.rate.requests, emulator.rate.per = 5, 0.5
    site.change("rate_limit", requests=5, per="500ms")
    site.change("batch", max_calls=10)
    site.produce(300)
    assert await site.run_job() == 0
    site.ledger.check()
    assert emulator.rate.busiest == 5
    assert emulator.rate.over == 0


async def test_scraping_the_pages_during_rebalances_and_commits_does_not_deadlock(
    site: Site, emulator: Emulator
) -> None:
    emulator.faults.add(Fault(delay=0.02, times=None))
    first = await site.started()
    site.produce(1000)
    for _ in range(4):
        second = site.start()
        while not second.told("partitions_assigned"):
            assert (await first.get("/metrics"))[0] == 200
        site.produce(100)
        second.signal()
        while second.is_running:
            assert (await first.get("/metrics"))[0] == 200
    await site.delivered()
    assert await first.stop() == 0
