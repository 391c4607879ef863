"""`check --connect` and `map` of real records, with an embedded Kafka and the emulator; nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.program import Cli, Finished
from worker.demo.cluster import EmbeddedCluster
from worker.emulator import Emulator, Fault

Write = Callable[[str, str], Path]
Run = Callable[..., "asyncio.Future[Finished]"]

MAPPING = """\
topics: [orders]
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer
"""

EVENT = b'{"type": "order.completed", "customer": "cust-1"}'


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as cluster:
        yield cluster


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    emulator = Emulator(key="right")
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
def configuration(
    write: Write, cluster: EmbeddedCluster, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/orders.yaml", MAPPING)
    monkeypatch.setenv("WORKER__KAFKA__BOOTSTRAP_SERVERS", cluster.bootstrap_servers)
    monkeypatch.setenv("WORKER__PIPELINES__URL", emulator.address)
    monkeypatch.setenv("PIPELINES_API_KEY", "right")


@pytest.mark.usefixtures("configuration")
async def test_a_worker_that_could_start_has_no_problems(cli: Cli, cluster: EmbeddedCluster) -> None:
    cluster.create_topic("orders")
    cluster.create_topic("customerio.dead-letters")
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert (done.code, done.out) == (0, ""), done


@pytest.mark.usefixtures("configuration")
async def test_every_external_problem_is_reported_at_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINES_API_KEY", "wrong")
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert done.code == 1
    assert "orders" in done.out
    assert "the dead-letter topic customerio.dead-letters does not exist" in done.out
    assert "the API rejects the key (401)" in done.out
    assert "wrong" not in done.out + done.err


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (Fault(status=404), 1, "not from the Pipelines API (404)"),
        (Fault(status=302, location="http://127.0.0.1:1/"), 1, "not from the Pipelines API (302)"),
        (Fault(status=200, body="<html>"), 1, "not from the Pipelines API (200)"),
        (Fault(status=503), 0, "fails at the moment (503)"),
        (Fault(reset=True), 1, "no response from"),
    ],
    ids=["404", "redirect", "page", "503", "reset"],
)
async def test_responses_of_other_servers_are_recognised(
    cli: Cli, cluster: EmbeddedCluster, emulator: Emulator, fault: Fault, code: int, said: str
) -> None:
    cluster.create_topic("orders")
    cluster.create_topic("customerio.dead-letters")
    emulator.faults.add(fault)
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert done.code == code
    assert said in done.out


@pytest.mark.usefixtures("configuration")
async def test_a_key_is_needed_to_connect(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINES_API_KEY")
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert done.code == 1
    assert "there is no API key" in done.out


@pytest.mark.usefixtures("configuration")
async def test_real_records_can_be_mapped_without_joining_the_group(
    cli: Cli, cluster: EmbeddedCluster
) -> None:
    for number in range(3):
        cluster.producer.produce("orders", EVENT, key=f"key-{number}", partition=1)
    cluster.producer.produce("orders", b"{", partition=0)
    assert cluster.producer.flush(10) == 0
    done = await asyncio.to_thread(cli, "map", "--from-topic", "orders")
    assert done.code == 1
    assert sum("calls" in line for line in done.lines) == 3
    assert sum("rejected" in line for line in done.lines) == 1
    newest = await asyncio.to_thread(cli, "map", "--from-topic", "orders", "--limit", "2")
    assert len(newest.lines) == 2


@pytest.mark.usefixtures("configuration")
async def test_one_record_is_explained_step_by_step(cli: Cli, cluster: EmbeddedCluster) -> None:
    cluster.producer.produce("orders", EVENT, key="key-1", headers=[("source", b"web")], partition=2)
    assert cluster.producer.flush(10) == 0
    done = await asyncio.to_thread(cli, "map", "--explain", "orders:2:0")
    assert done.code == 0
    assert "orders:2:0" in done.out
    assert "header   source: web" in done.out
    assert "rule config/mappings/orders.yaml:3 matches" in done.out
    assert '"event": "Order Completed"' in done.out
    missing = await asyncio.to_thread(cli, "map", "--explain", "orders:2:7")
    assert (missing.code, missing.out) == (1, "")


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (
            '{"sasl.pasword": "x"}',
            "sasl.pasword: librdkafka has no such property (did you mean 'sasl.password'?)",
        ),
        (
            '{"security.protocol": "s3cret"}',
            "kafka.properties.security.protocol: librdkafka does not accept this",
        ),
        ('{"fetch.min.bytes": -3}', "kafka.properties.fetch.min.bytes: must be within 0.."),
        ('{"linger.msx": 3, "fetch.min.byte": 3}', "did you mean 'fetch.min.bytes'?"),
    ],
)
def test_a_property_that_librdkafka_refuses_is_reported_before_anything_connects(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, properties: str, said: str
) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/orders.yaml", MAPPING)
    monkeypatch.setenv("WORKER__KAFKA__PROPERTIES", properties)
    monkeypatch.setenv("PIPELINES_API_KEY", "right")
    checked, run = cli("check"), cli("run")
    assert (checked.code, run.code) == (1, 2)
    assert said in checked.out
    assert said in run.err
    assert "s3cret" not in checked.out + run.err


def test_a_refused_property_is_reported_with_its_place_beside_everything_else(cli: Cli, write: Write) -> None:
    write(
        "config/worker.yaml",
        "kafka:\n  properties:\n    securty.protocol: PLAINTEXT\nbatch:\n  lingr: 3s\n",
    )
    write("config/mappings/orders.yaml", MAPPING + "nonsense: 1\n")
    checked = cli("check")
    assert checked.code == 1
    assert "config/worker.yaml:3:23: kafka.properties.securty.protocol: librdkafka has no such" in checked.out
    assert "config/worker.yaml:5:3: batch.lingr: unknown key" in checked.out
    assert "config/mappings/orders.yaml" in checked.out
