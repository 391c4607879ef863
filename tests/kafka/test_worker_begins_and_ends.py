"""Brokers that go away while a worker starts, and signals while it shuts down."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.kafka.conftest import leave
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.worker_process import API_KEY, Site, until
from worker.adapters.kafka import topic_checks
from worker.emulator import Emulator
from worker.programs.configuration import load_configuration
from worker.programs.worker import Worker

pytestmark = pytest.mark.kafka


async def test_run_waits_for_a_broker_that_goes_away_before_the_dead_letter_topic_was_checked(
    tmp_path: Path, own_kafka: KafkaCluster, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_checks, "RESPONSE_SECONDS", 0.5)
    site = Site(tmp_path, KafkaClient(own_kafka.bootstrap_servers), emulator)
    site.configure()
    monkeypatch.chdir(tmp_path)
    environ = {"PIPELINES_API_KEY": API_KEY}
    worker = Worker(*load_configuration(tmp_path / "config" / "worker.yaml", environ, needs_key=True))
    await asyncio.to_thread(own_kafka.kill)
    checking = asyncio.create_task(worker._check_dead_letters())
    await until(lambda: "DEAD_LETTERS_REFUSED" in {each["reason"] for each in worker.problems()})
    await asyncio.to_thread(own_kafka.start)
    async with asyncio.timeout(60):
        await checking
    assert {each["reason"] for each in worker.problems()} == {"JOINING"}
    await worker.close()


async def test_a_second_signal_while_the_worker_closes_its_connections_ends_it_with_1(
    site: Site, emulator: Emulator
) -> None:
    # A collector that accepts connections and never responds: the worker waits for it when it shuts down.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        site.change("telemetry", otlp_endpoint=address)
        worker = await site.started()
        site.produce(10)
        await site.delivered()
        worker.signal()
        await until(lambda: worker.told("worker_stopped"))
        worker.signal()
        assert await worker.ended() == 1
    assert site.committed() == site.ends()


async def test_every_line_around_faults_of_the_brokers_is_json(
    tmp_path: Path, own_kafka: KafkaCluster, emulator: Emulator
) -> None:
    site = Site(tmp_path, KafkaClient(own_kafka.bootstrap_servers), emulator, "consumer")
    site.change_property("reconnect.backoff.max.ms", 300)
    worker = site.start()
    await until(lambda: worker.told("worker_started"))
    await asyncio.to_thread(own_kafka.kill)
    # The second one if the worker had found a broker, but had not yet checked the dead-letter topic.
    await worker.not_ready_for("JOINING", "KAFKA_UNREACHABLE", or_for=["JOINING", "DEAD_LETTERS_REFUSED"])
    await asyncio.to_thread(own_kafka.start)
    await worker.ready()
    assert await worker.stop() == 0
    assert worker.lines  # parsed as JSON, each of them
    leave(site)
