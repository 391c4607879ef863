"""The dead-letter topic fails: nothing is lost, nothing is committed past its records, and `/readyz` reports it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.kafka.conftest import leave
from tests.support.kafka_client import SECONDS, KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.ledger import header
from tests.support.worker_process import Site, WorkerProcess, until
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka


@pytest.fixture
def own_site(guarded: KafkaCluster, tmp_path: Path, emulator: Emulator) -> Iterator[Site]:
    site = Site(tmp_path, KafkaClient(guarded.bootstrap_servers), emulator)
    site.change_property("delivery.timeout.ms", 2500)
    site.change_property("socket.timeout.ms", 2000)
    site.change_property("reconnect.backoff.max.ms", 500)
    site.change_property("session.timeout.ms", 45_000)  # a restart on a slow machine must not end the session
    yield site
    leave(site)


def forbid(site: Site) -> AclBinding:
    """Deny writing to the dead-letter topic."""
    binding = AclBinding(
        ResourceType.TOPIC, site.dead_letters, ResourcePatternType.LITERAL,
        "User:*", "*", AclOperation.WRITE, AclPermissionType.DENY,
    )  # fmt: skip
    site.kafka.admin.create_acls([binding])[binding].result(SECONDS)
    return binding


async def metric(worker: WorkerProcess, name: str) -> float:
    _, text = await worker.get("/metrics")
    return sum(
        float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"pipelines_worker_{name}")
    )


async def test_dead_letters_and_their_offsets_wait_while_the_topic_cannot_be_written(
    own_site: Site, guarded: KafkaCluster, emulator: Emulator
) -> None:
    site = own_site
    worker = await site.started()
    denied = forbid(site)
    site.kafka.append(site.topic, 0, [b"{broken"])
    site.produce(40)
    await site.delivered()
    await worker.not_ready_for("DEAD_LETTERS_REFUSED")
    assert await metric(worker, "dead_letters_failed") > 0
    assert worker.told("dead_letters_failed")[0]["level"] == "error"
    await until(lambda: site.committed() == [0, 20])  # nothing is committed past the dead letter
    site.kafka.admin.delete_acls([_all_of(denied)])
    await worker.ready()
    await until(lambda: site.committed() == [21, 20])

    # An outage while a dead letter is pending: the API responds slowly, and the broker goes away meanwhile.
    emulator.faults.add(Fault(delay=1.0, status=400, times=None, match={"userId": "nobody"}))
    site.kafka.append(site.topic, 1, [site.ledger.event("nobody")], key=b"x")
    site.ledger.produced.pop("nobody")  # it is never to be delivered
    requests = emulator.summary["requests"]["total"]
    await until(lambda: emulator.summary["requests"]["total"] > requests)
    guarded.kill()
    failed = len(worker.told("dead_letters_failed"))
    await until(lambda: len(worker.told("dead_letters_failed")) > failed)
    assert "DEAD_LETTERS_REFUSED" in (await worker.reasons() or [])
    await asyncio.to_thread(guarded.start)
    await worker.ready()
    await until(lambda: site.committed() == [21, 21])
    assert sorted(str(header(each, "dlq.reason")) for each in site.ledger.dead_letters()) == [
        "HTTP_400",
        "INVALID_JSON",
    ]
    assert await worker.stop() == 0
    site.ledger.check()


def _all_of(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, "User:*", "*",
        AclOperation.ANY, AclPermissionType.ANY,
    )  # fmt: skip
