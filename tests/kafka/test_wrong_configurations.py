"""What `check --connect`, the log and `/readyz` say of wrong configurations is what `docs/connecting.md` shows."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.connecting import Row, rows
from tests.support.inspection import kafka_problems
from tests.support.secure_kafka import PASSWORD, USER, SecureKafka
from tests.support.worker_process import (
    API_KEY,
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    ROOT,
    WorkerProcess,
    until,
)
from tests.support.wrong_configurations import wrong_configurations
from worker.emulator import Emulator
from worker.settings import Kafka

pytestmark = pytest.mark.kafka

SECRETS = (API_KEY, PASSWORD, "s3cret")


@pytest.fixture
async def api() -> AsyncIterator[Emulator]:
    emulator = Emulator(key=API_KEY)
    await emulator.start()
    yield emulator
    await emulator.stop()


def test_the_document_shows_all_that_is_tried(secure: SecureKafka) -> None:
    assert {row.wrong for row in rows()} == wrong_configurations(secure).keys()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.wrong)
async def test_a_wrong_configuration_is_named_everywhere(
    row: Row, secure: SecureKafka, api: Emulator, tmp_path: Path
) -> None:
    wrong_configurations(secure)[row.wrong].write(tmp_path, secure, api.address)
    (code, checked), logged = await asyncio.gather(check(tmp_path), run(tmp_path, row))
    assert code == 1
    assert re.search(
        rf"^config/(worker|mappings/orders)\.yaml:\d+:\d+: .*{row.pattern}", checked, re.MULTILINE
    ), checked
    assert not any(secret in checked + logged for secret in SECRETS)


async def check(folder: Path) -> tuple[int | None, str]:
    """The exit code of `check --connect`, and what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", "check", "--connect",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PIPELINES_API_KEY": API_KEY},
    )  # fmt: skip
    out, err = await process.communicate()
    assert re.fullmatch(r"(\d+|no) problems?, (\d+|no) warnings?.*\n(note: .*\n)*", err.decode()), err
    return process.returncode, out.decode()


async def run(folder: Path, row: Row) -> str:
    """What a worker prints until it says what the row has, or until it ends by itself."""
    worker = WorkerProcess(folder, 0, (), {})
    try:
        if row.code is None:
            await until(lambda: row.reason in reasons(worker) or not worker.is_running)
            await not_ready_for(row.reason, worker)
        else:
            assert await worker.ended() == row.code
            assert not row.reason or row.reason in reasons(worker)
    finally:
        if worker.is_running:
            worker.kill()
    return worker.output


def reasons(worker: WorkerProcess) -> list[str]:
    """The reasons of its lines `kafka_failed`. A line that is not JSON fails the test."""
    return [line["reason"] for line in worker.told("kafka_failed")]


async def not_ready_for(reason: str, worker: WorkerProcess) -> None:
    """Wait until `/readyz` says this reason and no other, before the worker has joined its group or after."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while {*(await worker.reasons() or [])} - {"JOINING"} != {reason}:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(LOOK_SECONDS)


def test_the_right_to_write_dead_letters_is_looked_at(secure: SecureKafka) -> None:
    properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": USER}
    kafka = Kafka.model_validate({
        "bootstrap_servers": secure.servers["PASSWORD"],
        "properties": {**properties, "sasl.password": PASSWORD},
        "dead_letter_topic": "unwritable",
    })  # fmt: skip
    (problem,) = kafka_problems(kafka, ["orders"])
    assert problem.message == "kafka.dead_letter_topic: no right to write to the dead-letter topic unwritable"
