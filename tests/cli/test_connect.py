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
    assert done.code == 0, done
    assert [line.partition(": ")[0] for line in done.out.splitlines()] == [
        "broker", "cluster", "topic orders", "dead-letter topic customerio.dead-letters",
        "group customerio-pipelines", "schema registry", "API", "key", "clock",
    ]  # fmt: skip
    assert "topic orders: 4 partitions; the age of the newest record is not known" in done.out
    assert "key: accepted\n" in done.out
    assert "clock: agrees with the API's\n" in done.out
    assert done.err == "no problems, no warnings; topics: orders\n"


@pytest.mark.usefixtures("configuration")
async def test_what_was_looked_at_is_in_the_json_too(cli: Cli, cluster: EmbeddedCluster) -> None:
    cluster.create_topic("orders")
    done = await asyncio.to_thread(cli, "check", "--connect", "--json")
    assert done.code == 1
    (found,) = done.lines
    looked_at = {each["subject"]: each for each in found["looked_at"]}
    assert looked_at["topic orders"]["partitions"] == 4
    assert looked_at["key"] == {"subject": "key", "ok": True, "found": "accepted", "accepted": True}
    assert looked_at["dead-letter topic customerio.dead-letters"]["ok"] is False
    assert [each["file"] for each in found["problems"]] == ["config/worker.yaml"]
    without = await asyncio.to_thread(cli, "check", "--json")
    assert "looked_at" not in without.lines[0]


@pytest.mark.usefixtures("configuration")
async def test_one_thing_that_is_away_keeps_nothing_else_from_being_looked_at(
    cli: Cli, cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIPELINES_API_KEY")
    monkeypatch.setenv("WORKER__SCHEMA_REGISTRY__URL", "http://127.0.0.1:1")
    cluster.create_topic("orders")
    cluster.create_topic("customerio.dead-letters")
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert done.code == 1
    assert "topic orders: 4 partitions" in done.out
    assert "API: http://127.0.0.1:" in done.out
    assert "config/worker.yaml: pipelines.api_key: there is no API key (set PIPELINES_API_KEY)" in done.out
    assert (
        "WORKER__SCHEMA_REGISTRY__URL: schema_registry.url: no response from http://127.0.0.1:1" in done.out
    )


@pytest.mark.usefixtures("configuration")
async def test_a_missing_topic_is_reported_where_the_mapping_names_it(
    cli: Cli, write: Write, cluster: EmbeddedCluster
) -> None:
    write("config/mappings/orders.yaml", MAPPING.replace("[orders]", "['^customer-.*$', order]"))
    cluster.create_topic("orders")
    cluster.create_topic("customer-1")
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert "topic customer-1: 4 partitions; " in done.out
    assert (
        "config/mappings/orders.yaml:1:27: no such topic, or no right to see it: order (did you mean 'orders'?)"
        in done.out
    )


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
async def test_a_clock_that_is_off_is_a_warning(
    cli: Cli, cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create_topic("orders")
    cluster.create_topic("customerio.dead-letters")
    ahead = property(lambda _: 3 * 60.0)
    monkeypatch.setattr("worker.adapters.pipelines_api.client.PipelinesApi.clock_ahead", ahead)
    done = await asyncio.to_thread(cli, "check", "--connect")
    assert done.code == 0
    assert "clock: 3 minutes ahead of the API's" in done.out
    assert "warning: pipelines.url: this machine's clock is 3 minutes ahead of the API's" in done.out


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


def test_nothing_is_looked_at_with_a_configuration_that_has_problems(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "kafka: {group: x}\n")
    write("config/mappings/orders.yaml", MAPPING)
    checked = cli("check", "--connect")
    assert checked.code == 1
    assert "note: nothing was looked at, because of the problems above" in checked.err
    assert "note: nothing was looked at" not in cli("check").err
