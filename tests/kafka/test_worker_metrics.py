"""Everything that alerts and the dashboard watch is in the metrics of a worker that runs."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.watched import ALERTED, COUNTERS, DRAWN, LABELLED
from tests.support.worker_process import PATIENCE_SECONDS, Site, WorkerProcess, until
from worker.emulator import Emulator, Fault

pytestmark = [pytest.mark.kafka, pytest.mark.checkout]


async def metrics(worker: WorkerProcess) -> set[str]:
    """The names of all series that the worker exports."""
    _, text = await worker.get("/metrics")
    return {re.split(r"[{ ]", line, maxsplit=1)[0] for line in text.splitlines() if not line.startswith("#")}


async def test_alerts_and_dashboard_watch_what_a_running_worker_exports(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    worker = await site.started()
    await until(lambda: worker.told("partitions_assigned"))
    seen = await metrics(worker)
    assert len(COUNTERS) > 20
    assert len(ALERTED) > 15
    assert seen >= COUNTERS - LABELLED
    # Known only while something is undelivered.
    assert ALERTED - seen <= {"pipelines_worker_partition_oldest_undelivered_seconds"}

    emulator.faults.add(Fault(status=503, times=None, every=2))
    kafka.append(site.topic, values=[b"{broken"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (ALERTED | DRAWN) - seen:  # the age of what is undelivered is there for moments only
            site.produce(20)
            seen |= await metrics(worker)
    emulator.faults.clear()
    await site.delivered()
    assert await worker.stop() == 0
