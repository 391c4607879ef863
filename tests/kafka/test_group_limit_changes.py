"""`rate_limit.scope: group` on a real Kafka: what happens to members, and to topics, while all send under load."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.kafka.conftest import leave, need_a_broker_of_our_own
from tests.support.cut_off_kafka import cut_off_kafka
from tests.support.kafka_client import KafkaClient
from tests.support.shared_limit import (
    PER,
    has_share,
    over_the_limit,
    share,
    share_the_limit,
    subscribe,
    with_a_session_of,
)
from tests.support.worker_process import PATIENCE_SECONDS, Site, WorkerProcess, until
from worker.core.group_share import COUNT_SECONDS
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

LIMIT = 20
SESSION = 6
REFRESH = 1.0


async def two_members(site: Site, emulator: Emulator, events: int = 2000) -> list[WorkerProcess]:
    """Each with half of the limit, and more to send than they may."""
    share_the_limit(site, emulator, LIMIT)
    with_a_session_of(site, SESSION)
    site.produce(events)
    members = [await site.started(), await site.started()]
    for each in members:
        await has_share(each, LIMIT / 2)
    return members


async def grows(members: list[WorkerProcess], share_before: float) -> None:
    """Wait until one of them has a larger share."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while all([await share(each) <= share_before + 0.01 for each in members]):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)


async def limit_is_used(emulator: Emulator) -> None:
    """Wait until a window has nearly as many requests as it may, from now on."""
    assert emulator.rate.over == 0, over_the_limit(emulator)
    emulator.rate.clear()
    await until(lambda: emulator.rate.busiest >= 0.9 * LIMIT)
    assert emulator.rate.over == 0, over_the_limit(emulator)


async def test_partitions_and_topics_that_are_added_count_late_and_then_all_of_the_limit_is_used(
    any_protocol: Site, emulator: Emulator
) -> None:
    site = any_protocol
    site.change_property("topic.metadata.refresh.interval.ms", int(REFRESH * 1000))
    subscribe(site, f"^{site.topic}.*$")
    members = await two_members(site, emulator)
    await limit_is_used(emulator)
    later = f"{site.topic}-later"
    began = time.monotonic()
    site.kafka.add_partitions(site.topic, 4)
    site.kafka.create_topic(2, later)
    for topic in (site.topic, later):
        site.ledger.produce(topic, 1000, people=1000, partitions=4 if topic == site.topic else 2)
    for each in members:
        await has_share(each, LIMIT / 6)
    await grows(members, LIMIT / 6)
    assert time.monotonic() - began >= max(REFRESH, COUNT_SECONDS) + PER
    for each in members:
        await has_share(each, LIMIT / 2)
    await limit_is_used(emulator)


async def test_a_member_that_is_killed_is_replaced_after_its_session(
    any_protocol: Site, emulator: Emulator
) -> None:
    first, second = await two_members(any_protocol, emulator)
    await limit_is_used(emulator)
    first.kill()
    await has_share(second, LIMIT)
    await limit_is_used(emulator)


async def test_a_static_member_that_is_killed_may_be_replaced_at_once(site: Site, emulator: Emulator) -> None:
    """The group gives its partitions to the next process of that name without waiting for the session."""
    share_the_limit(site, emulator, LIMIT)
    site.change_property("group.instance.id", "static")
    site.produce(1000)
    worker = await site.started()
    for _ in range(2):
        await has_share(worker, LIMIT)
        await limit_is_used(emulator)
        worker.kill()
        worker = await site.started()
    await limit_is_used(emulator)


async def test_a_member_that_is_stopped_for_longer_than_its_session_goes_on_with_what_it_has_then(
    any_protocol: Site, emulator: Emulator
) -> None:
    first, second = await two_members(any_protocol, emulator)
    await limit_is_used(emulator)
    first.signal(signal.SIGSTOP)
    await has_share(second, LIMIT)
    await limit_is_used(emulator)
    first.signal(signal.SIGCONT)
    await until(lambda: first.told("partitions_lost"))
    for each in (first, second):
        await has_share(each, LIMIT / 2)
    await limit_is_used(emulator)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_a_member_without_its_broker_stops_before_another_has_its_partitions(
    tmp_path: Path, emulator: Emulator, protocol: str
) -> None:
    need_a_broker_of_our_own()
    async with cut_off_kafka(tmp_path / "kafka") as kafka:
        site = await asyncio.to_thread(Site, tmp_path, KafkaClient(kafka.servers), emulator, protocol)
        share_the_limit(site, emulator, LIMIT)
        with_a_session_of(site, SESSION)
        site.produce(2000)
        near = await site.started()
        site.change("kafka", bootstrap_servers=kafka.far_servers)
        far = await site.started()
        for each in (near, far):
            await has_share(each, LIMIT / 2)
        await limit_is_used(emulator)
        kafka.wire.whole.clear()
        await has_share(far, 0)
        assert await far.reasons() == ["MEMBERSHIP_UNCONFIRMED"]
        await has_share(near, LIMIT)
        await limit_is_used(emulator)
        kafka.wire.whole.set()
        for each in (near, far):
            await has_share(each, LIMIT / 2)
        await limit_is_used(emulator)
        leave(site)
