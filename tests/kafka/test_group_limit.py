"""`rate_limit.scope: group` on a real Kafka: members come and go, and the API counts."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.kafka.conftest import leave
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.shared_limit import (
    has_share,
    over_the_limit,
    share_the_limit,
    subscribe,
    with_a_session_of,
)
from tests.support.worker_process import API_KEY, ROOT, Site
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

REBALANCES = int(os.environ.get("REBALANCES", "12"))
"""How many members come or go; each makes one rebalance or more."""

SEED = int(os.environ.get("SEED", "7"))
"""Which of them comes or goes, and when."""


def check(site: Site) -> subprocess.CompletedProcess[str]:
    """`check --connect`, without the API."""
    command = [sys.executable, "-m", "worker", "check", "--connect"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PIPELINES_API_KEY": API_KEY}
    return subprocess.run(command, cwd=site.folder, env=environ, capture_output=True, text=True, check=False)


async def test_one_worker_spends_all_of_it_and_two_spend_half_each(
    any_protocol: Site, emulator: Emulator
) -> None:
    site = any_protocol
    share_the_limit(site, emulator)
    first = await site.started()
    await has_share(first, 20)
    second = await site.started()
    await has_share(first, 10)
    await has_share(second, 10)
    site.produce(100)
    await site.delivered()
    assert await second.stop() == 0
    await has_share(first, 20)
    assert emulator.rate.over == 0


async def test_no_window_sees_more_than_the_limit_through_rebalances(
    any_protocol: Site, emulator: Emulator
) -> None:
    site = any_protocol
    share_the_limit(site, emulator)
    site.topic = site.kafka.create_topic(6)
    subscribe(site, site.topic)
    with_a_session_of(site, 6)
    chance = random.Random(SEED)
    site.ledger.produce(site.topic, 200 * REBALANCES, people=600, partitions=6)
    working = [await site.started()]
    began = time.monotonic()
    for _ in range(REBALANCES):
        if len(working) < 2 or (len(working) < 4 and chance.random() < 0.5):
            working.append(site.start())
        else:
            member = working.pop(chance.randrange(len(working)))
            if chance.random() < 0.3:
                member.kill()
            else:
                await member.stop()
        await working[-1].ready()
        await asyncio.sleep(chance.random() * 3)  # the next happens at any time
    seconds = time.monotonic() - began
    used = emulator.traffic.total / (seconds * emulator.rate.requests)
    moves = sum(len(member.told("partitions_assigned")) for member in site.workers)
    print(  # noqa: T201 - for those who run it with -s
        f"{REBALANCES} members came or went, {moves} assignments, in {seconds:.0f} s; the busiest window had "
        f"{emulator.rate.busiest} of {emulator.rate.requests}; {used:.0%} of the limit was used"
    )
    assert emulator.rate.over == 0, over_the_limit(emulator)
    assert emulator.rate.busiest > emulator.rate.requests // 2, "the limit was what held requests back"


async def test_processes_of_one_run_are_members(site: Site, emulator: Emulator) -> None:
    share_the_limit(site, emulator, requests=4)
    site.produce(30)
    run = site.start("--processes", "2", "--until-caught-up")
    assert await run.ended() == 0
    site.ledger.check()
    assert emulator.rate.over == 0


async def test_fewer_requests_than_partitions_are_a_warning(site: Site, emulator: Emulator) -> None:
    share_the_limit(site, emulator, requests=2)
    site.configure()
    assert "for 2 partitions" not in (await asyncio.to_thread(check, site)).stdout
    share_the_limit(site, emulator, requests=1)
    site.configure()
    printed = " ".join((await asyncio.to_thread(check, site)).stdout.split())
    assert (
        "1 request for 2 partitions: the share of a member with few of them is below one request" in printed
    )
    assert "raise requests to at least 2" in printed


async def test_a_session_that_may_not_be_read_is_an_error_at_the_start(
    guarded: KafkaCluster, tmp_path: Path, emulator: Emulator
) -> None:
    client = KafkaClient(guarded.bootstrap_servers)
    site = Site(tmp_path, client, emulator, "consumer")
    where = (ResourceType.GROUP, site.group, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*")
    bindings = [
        AclBinding(*where, AclOperation.ALL, AclPermissionType.ALLOW),
        AclBinding(*where, AclOperation.DESCRIBE_CONFIGS, AclPermissionType.DENY),
    ]
    for answer in client.admin.create_acls(bindings).values():
        answer.result(10)
    share_the_limit(site, emulator)
    worker = site.start()
    assert await worker.ended() == 1
    (failed,) = worker.told("source_failed")
    assert "the session timeout of the KIP-848 group cannot be read" in failed["message"]
    checked = await asyncio.to_thread(check, site)
    assert checked.returncode == 1
    assert "the session timeout of the KIP-848 group cannot be read" in " ".join(checked.stdout.split())
    site.change("rate_limit", scope="process")
    worker = await site.started()
    assert await worker.stop() == 0
    leave(site)
