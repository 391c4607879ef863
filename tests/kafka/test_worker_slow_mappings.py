"""Slow mappings on a real Kafka: polling continues, and a record affects only itself."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.worker_process import LOOK_SECONDS, Site, until

pytestmark = pytest.mark.kafka

MAX_POLL_MS = 10_000

MAPPER = """\
import hashlib, time
from worker import track

def happened(event):
    kind = event.value["type"]
    if kind == "slow":
        time.sleep(0.03)
    if kind == "sleeps":
        time.sleep(18)
    if kind == "spins":
        while True:
            try:
                time.sleep(0)
            except Exception:
                pass
    if kind == "blocks":
        ends = time.monotonic() + 8
        while time.monotonic() < ends:
            try:
                hashlib.pbkdf2_hmac("sha256", b"", b"", 30_000_000)
            except BaseException:
                pass
    return track(kind, user_id="p-1", properties={"n": event.value["n"]})
"""


@pytest.fixture
def slow(site: Site) -> Site:
    site.mapping = json.dumps({"topics": [site.topic], "rules": [{"mapper": "slow_mapper:happened"}]})
    (site.folder / "config").mkdir()
    (site.folder / "config" / "slow_mapper.py").write_text(MAPPER)
    site.change_property("max.poll.interval.ms", MAX_POLL_MS)
    return site


def append(kafka: KafkaClient, site: Site, *kinds: str) -> None:
    values = [json.dumps({"type": kind, "n": n}).encode() for n, kind in enumerate(kinds)]
    kafka.append(site.topic, values=values)


async def test_records_that_each_take_long_are_all_delivered_once_and_the_group_keeps_the_member(
    slow: Site, kafka: KafkaClient
) -> None:
    worker = await slow.started()
    append(kafka, slow, *["slow"] * 500)
    await until(lambda: slow.ledger.taken >= 500)
    await until(lambda: slow.committed() == slow.ends())
    assert slow.ledger.taken == 500
    assert not worker.told("partitions_lost")
    assert await worker.stop() == 0


@pytest.mark.parametrize("kind", ["sleeps", "spins"])
async def test_a_mapping_that_does_not_end_costs_its_own_record_only(
    slow: Site, kafka: KafkaClient, kind: str
) -> None:
    slow.change("limits", mapping_timeout="1s")
    worker = await slow.started()
    append(kafka, slow, "fast", kind, "fast")
    await until(lambda: slow.committed() == slow.ends())
    assert slow.ledger.taken == 2
    (dead_letter,) = slow.ledger.dead_letters()
    headers = dict(dead_letter.headers() or [])
    assert headers["dlq.reason"] == b"MAPPING_TOO_SLOW"
    assert headers["dlq.stage"] == b"map"
    assert b"slow_mapper:happened" in (headers["__connect.errors.exception.message"] or b"")
    interrupted = worker.told("mapping_interrupted")
    assert [line["offset"] for line in interrupted] == [1, 1]
    assert {line["mapper"] for line in interrupted} == {"slow_mapper:happened"}
    assert await worker.stop() == 0


async def test_a_mapper_that_blocks_is_named_while_it_does_and_the_pages_answer(
    slow: Site, kafka: KafkaClient
) -> None:
    slow.change("limits", mapping_timeout="1s")
    worker = await slow.started()
    append(kafka, slow, "blocks", "fast")
    async with asyncio.timeout(60):
        while await worker.reasons() != ["MAPPER_BLOCKED"]:  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(LOOK_SECONDS)
    assert await worker.get("/livez") == (200, '{"alive":true}')
    (line, *_) = worker.told("mapping_blocked")
    assert line["mapper"] == "slow_mapper:happened"
    assert (line["topic"], line["offset"]) == (slow.topic, 0)
    await until(lambda: slow.committed() == slow.ends())
    (dead_letter,) = slow.ledger.dead_letters()
    assert dict(dead_letter.headers() or [])["dlq.reason"] == b"MAPPING_TOO_SLOW"
    assert slow.ledger.taken == 1
    await worker.ready()
    assert await worker.stop() == 0
