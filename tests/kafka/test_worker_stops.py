"""How a worker shuts down: signals in normal operation, with the API down, and without a broker."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.kafka.conftest import leave
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.worker_process import PROTOCOLS, Site, until
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.essential
async def test_sigterm_delivers_and_commits_records_in_progress(
    site: Site, emulator: Emulator, protocol: str
) -> None:
    site.change("kafka", properties=PROTOCOLS[protocol])
    site.change("delivery", max_requests_in_flight=2)
    emulator.faults.add(Fault(delay=0.1, times=None))
    worker = await site.started()
    site.produce(1000)
    await site.taken(50)
    await worker.consumed(1000)
    assert not site.ledger.is_delivered()
    assert await worker.stop() == 0
    site.ledger.check()
    assert site.ledger.repeated == 0
    assert site.committed() == site.ends()
    assert [line["reason"] for line in worker.told("draining")] == ["SIGTERM"]
    assert worker.told("worker_stopped")[0]["delivered"] == 1000


async def test_sigint_drains_too_and_dead_letters_in_hand_are_written(site: Site, emulator: Emulator) -> None:
    emulator.faults.add(Fault(delay=0.3, times=None))
    worker = await site.started()
    site.produce(200)
    site.kafka.append(site.topic, values=[b"{broken"] * 50)
    await worker.consumed(250)
    worker.signal(signal.SIGINT)
    assert await worker.ended() == 0
    site.ledger.check()
    assert len(site.ledger.dead_letters()) == 50
    assert site.committed() == site.ends()


async def test_a_second_signal_stops_at_once_and_loses_nothing(site: Site, emulator: Emulator) -> None:
    emulator.faults.add(Fault(stall=True, times=None))
    worker = await site.started()
    site.produce(200)
    await until(lambda: emulator.traffic.total > 0)
    worker.signal()
    await until(lambda: worker.told("draining"))
    worker.signal()
    assert await worker.ended() == 1
    assert worker.told("stopped_at_once")
    assert site.committed() == [0, 0]
    emulator.faults.clear()
    assert await site.run_job() == 0
    site.ledger.check()


async def test_sigterm_with_the_api_down_ends_after_the_shutdown_timeout_and_loses_nothing(
    site: Site, emulator: Emulator
) -> None:
    site.change("delivery", shutdown_timeout="1s")
    address = emulator.address
    worker = await site.started()
    await emulator.stop()
    site.produce(200)
    site.kafka.append(site.topic, values=[b"{broken"])
    await worker.consumed(201)
    assert await worker.stop() == 1
    assert site.ledger.taken == 0
    await emulator.start(port=int(address.rpartition(":")[2]))
    assert await site.run_job() == 0
    site.ledger.check()
    assert {each.value() for each in site.ledger.dead_letters()} == {b"{broken"}


async def test_a_worker_waits_for_its_first_broker_and_sigterm_ends_that_too(site: Site) -> None:
    site.change("kafka", bootstrap_servers="127.0.0.1:1")
    worker = site.start()
    await worker.not_ready_for("JOINING", "KAFKA_UNREACHABLE")
    assert await worker.stop() == 0


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_worker_whose_broker_is_gone_still_exits_and_has_committed_no_more_than_it_delivered(
    tmp_path: Path, own_kafka: KafkaCluster, emulator: Emulator, signals: int
) -> None:
    site = Site(tmp_path, KafkaClient(own_kafka.bootstrap_servers), emulator)
    site.change_property("session.timeout.ms", 45_000)  # how long the client keeps a commit waiting
    site.change("delivery", shutdown_timeout="1s")
    worker = await site.started()
    site.produce(100)
    await site.delivered()
    emulator.faults.add(Fault(delay=0.5, times=None))
    site.produce(400)
    await worker.consumed(500)
    await asyncio.to_thread(own_kafka.kill)
    worker.signal()
    if signals == 2:
        await until(lambda: worker.told("draining"))
        worker.signal()
    assert await worker.ended() == 1
    assert worker.told("left_anyway")
    await asyncio.to_thread(own_kafka.start)
    assert sum(site.committed()) <= site.ledger.taken
    leave(site)
