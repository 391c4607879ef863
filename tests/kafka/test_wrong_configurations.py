"""What `check --connect`, the log and `/readyz` say of wrong configurations is what `docs/connecting.md` shows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka.conftest import need_a_broker_of_our_own
from tests.support.kafka_client import KafkaClient
from tests.support.secure_kafka import USER, SecureKafka
from tests.support.worker_process import API_KEY, ROOT, WorkerProcess, until
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

AT_A_TIME = 3
"""How many configurations are tried at the same time: each starts two processes, which wait more than they work."""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    need_a_broker_of_our_own()
    cluster = SecureKafka(tmp_path_factory.mktemp("secure") / "kafka")
    try:
        cluster.start()
        set_up(KafkaClient(cluster.bootstrap_servers))
        yield cluster
    finally:
        cluster.kill()


def set_up(kafka: KafkaClient) -> None:
    for name in ("orders", "forbidden", "customerio.dead-letters"):
        kafka.create_topic(1, name)
    denied = [
        AclBinding(
            kind,
            "forbidden",
            ResourcePatternType.LITERAL,
            f"User:{USER}",
            "*",
            AclOperation.ALL,
            AclPermissionType.DENY,
        )
        for kind in (ResourceType.TOPIC, ResourceType.GROUP)
    ]
    for done in kafka.admin.create_acls(denied).values():
        done.result(20)


@pytest.fixture
async def api() -> AsyncIterator[Emulator]:
    emulator = Emulator(key=API_KEY)
    await emulator.start()
    yield emulator
    await emulator.stop()


async def check(folder: Path) -> str:
    """What `check --connect` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", "check", "--connect",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PIPELINES_API_KEY": API_KEY},
    )  # fmt: skip
    return (await process.communicate())[0].decode()


async def run(folder: Path, row: Row) -> WorkerProcess:
    """A worker that has said what the row has; it is stopped, unless it has ended by itself."""
    worker = WorkerProcess(folder, 0, (), {})
    if row.reason:
        await until(lambda: not worker.is_running or row.reason in worker.output)
        assert worker.is_running, worker.output
        assert row.reason in (await worker.reasons() or [])
        worker.kill()
    await worker.ended()
    return worker
