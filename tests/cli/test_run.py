"""`run`, `emulator` and `demo` as processes of their own: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.program import ROOT, Cli
from worker.demo.cluster import EmbeddedCluster
from worker.emulator import Emulator

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [orders]
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer
"""

EVENT = b'{"type": "order.completed", "customer": "ada@example.com"}'
RECORDS = 30


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as cluster:
        cluster.create_topic("customerio.dead-letters")
        for number in range(RECORDS):
            cluster.producer.produce("orders", EVENT, key=f"key-{number}")
        cluster.producer.produce("orders", b"{broken")
        assert cluster.producer.flush(10) == 0
        yield cluster


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    emulator = Emulator(key="right")
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
def environ(write: Write, cluster: EmbeddedCluster, emulator: Emulator) -> dict[str, str]:
    write("config/worker.yaml", "http: {listen: null}\n")
    write("config/mappings/orders.yaml", MAPPING)
    return {
        "WORKER__KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "WORKER__KAFKA__PROPERTIES": '{"group.protocol": "consumer"}',  # joins the embedded cluster faster
        "WORKER__PIPELINES__URL": emulator.address,
        "PIPELINES_API_KEY": "right",
    }


async def test_a_job_delivers_what_is_there_and_exits_0(
    program: Cli, emulator: Emulator, environ: dict[str, str]
) -> None:
    done = await asyncio.to_thread(program, "run", "--until-caught-up", environ=environ)
    assert (done.code, done.out) == (0, ""), done.err
    assert len(emulator.received.calls()) == RECORDS
    assert all("event" in json.loads(line) for line in done.err.splitlines())
    assert "ada@" not in done.err
    assert "right" not in done.err


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full", "2>&1 | true"])
async def test_a_job_whose_output_has_no_reader_finishes_and_exits_0(
    emulator: Emulator, environ: dict[str, str], tmp_path: Path, streams: str
) -> None:
    job = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        f"set -o pipefail; {sys.executable} -m worker run --until-caught-up {streams}",
        cwd=tmp_path,
        env={**environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    assert await job.wait() == 0
    assert len(emulator.received.calls()) == RECORDS


async def test_a_job_with_a_wrong_key_exits_1_and_names_neither_key_nor_person(
    program: Cli, environ: dict[str, str]
) -> None:
    environ["PIPELINES_API_KEY"] = "wrong-key"
    done = await asyncio.to_thread(program, "run", "--until-caught-up", environ=environ)
    assert (done.code, done.out) == (1, "")
    assert "401" in done.err
    assert "wrong-key" not in done.err


@pytest.mark.parametrize("number", ["0", "257", "all"])
async def test_a_number_of_processes_that_cannot_be_is_a_usage_error(program: Cli, number: str) -> None:
    done = await asyncio.to_thread(program, "run", "--processes", number)
    assert (done.code, done.out) == (2, "")
    assert "--processes: must be auto, or a number from 1 to 256" in " ".join(done.err.split())


async def test_more_processes_than_requests_are_a_configuration_error(
    program: Cli, environ: dict[str, str], write: Write
) -> None:
    write("config/worker.yaml", "http: {listen: null}\nrate_limit: {requests: 2}\n")
    done = await asyncio.to_thread(program, "run", "--processes", "3", environ=environ)
    assert (done.code, done.out) == (2, "")
    assert "config/worker.yaml:2:24: rate_limit.requests: 2 requests cannot be divided among 3" in done.err


async def test_a_missing_dead_letter_topic_stops_the_start(program: Cli, environ: dict[str, str]) -> None:
    environ["WORKER__KAFKA__DEAD_LETTER_TOPIC"] = "customerio.other"
    done = await asyncio.to_thread(program, "run", environ=environ)
    assert (done.code, done.out) == (1, "")
    assert "the dead-letter topic customerio.other does not exist" in done.err


async def test_sigterm_drains_and_exits_0(environ: dict[str, str], tmp_path: Path) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker",
        "run",
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert worker.stderr is not None
    async for line in worker.stderr:
        if json.loads(line)["event"] == "partitions_assigned":
            break
    worker.send_signal(signal.SIGTERM)
    out, err = await worker.communicate()
    assert (worker.returncode, out) == (0, b""), err.decode()
    assert "draining" in [json.loads(each)["event"] for each in err.splitlines()]


async def test_the_emulator_says_where_it_listens_and_ends_with_a_signal(tmp_path: Path) -> None:
    emulator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", "emulator", "--listen", "127.0.0.1:0",
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert emulator.stderr is not None
    line = (await emulator.stderr.readline()).decode()
    assert line.startswith("http://127.0.0.1:")
    emulator.send_signal(signal.SIGTERM)
    assert await emulator.wait() == 0


def test_an_address_that_is_invalid_or_in_use_is_reported_in_one_line(cli: Cli) -> None:
    wrong, foreign = cli("emulator", "--listen", "here"), cli("emulator", "--listen", "203.0.113.1:1")
    assert (wrong.code, foreign.code) == (2, 1)
    assert "HOST:PORT" in wrong.err
    assert "cannot listen on 203.0.113.1:1" in foreign.err
