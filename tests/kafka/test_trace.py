"""`trace` on a real Kafka: a record by its position, its key, and the messageId of its call."""

from __future__ import annotations

import json
import time
from typing import Any
from unittest.mock import ANY

import pytest

from tests.support.dlq_command import Dlq
from tests.support.worker_process import Site

pytestmark = pytest.mark.kafka

MAPPING = """\
topics: [{topic}]
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
  - when: type == 'stated'
    call: track
    event: Something Stated
    userId: person
    messageId: id
"""
HAPPENED = b'{"type": "happened", "person": "p-1"}'
STATED = b'{"type": "stated", "person": "p-2", "id": "e-1"}'


@pytest.fixture
async def dlq(site: Site) -> Dlq:
    """In partition 0: delivered, rejected, ignored, delivered; in partition 1: another key; then two not yet read."""
    site.mapping = MAPPING.format(topic=site.topic)
    site.kafka.append(site.topic, 0, [HAPPENED, b"{broken", b'{"type": "other"}', STATED], key=b"p-1")
    site.kafka.append(site.topic, 1, [HAPPENED], key=b"p-9")
    assert await site.run_job() == 0
    site.kafka.append(site.topic, 0, [HAPPENED], key=b"p-1")
    return Dlq(site)


def traced(dlq: Dlq, *arguments: str) -> list[dict[str, Any]]:
    done = dlq.look("trace", *arguments, "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


async def test_a_record_is_found_by_its_position(site: Site, dlq: Dlq) -> None:
    (delivered,) = traced(dlq, f"{site.topic}:0:0")
    assert (delivered["finished"], delivered["committed"]) == (True, 4)
    assert delivered["rule"].endswith("events.yaml:3")
    assert delivered["calls"][0] in site.emulator.received.calls()
    assert delivered["dead_letter"] is None
    (rejected,) = traced(dlq, f"{site.topic}:0:1")
    assert rejected["rejected"]["reason"] == "INVALID_JSON"
    assert rejected["dead_letter"] == {
        "handle": f"{site.dead_letters}:0:0",
        "state": "waiting",
        "reason": "INVALID_JSON",
    }
    (waiting,) = traced(dlq, f"{site.topic}:0:4")
    assert (waiting["finished"], waiting["dead_letter"]) == (False, None)
    shown = dlq.look("trace", f"{site.topic}:0:4")
    assert f"not finished: the group {site.group} has committed 4" in shown.out


async def test_records_are_found_by_their_key(site: Site, dlq: Dlq) -> None:
    found = traced(dlq, "--topic", site.topic, "--key", "p-1")
    assert {each["record"] for each in found} == {f"{site.topic}:0:{n}" for n in range(5)}
    assert found[0]["record"] == f"{site.topic}:0:4", "the newest first"
    assert [each["record"] for each in traced(dlq, "--topic", site.topic, "--key", "p-9")] == [
        f"{site.topic}:1:0"
    ]
    limited = dlq.look("trace", "--topic", site.topic, "--key", "p-1", "--limit", "2")
    assert limited.out.count("state ") == 2
    assert "--limit" in limited.err
    old = dlq.look("trace", "--topic", site.topic, "--key", "p-1", "--since", "0s")
    assert (old.code, old.out) == (1, "")
    assert f"{site.topic}: 0 offsets of 2 partitions" in old.err
    assert dlq.look("trace", "--topic", site.topic, "--key", "p-7").code == 1


@pytest.mark.parametrize("place", ["0:0", "0:3", "1:0"])
async def test_a_record_is_found_by_the_message_id_of_its_call(site: Site, dlq: Dlq, place: str) -> None:
    (by_position,) = traced(dlq, f"{site.topic}:{place}")
    message_id = by_position["calls"][0]["messageId"]
    assert traced(dlq, "--message-id", message_id.lower()) == [by_position]
    assert traced(dlq, "--message-id", message_id, "--topic", site.topic) == [by_position]


async def test_what_is_not_found_says_what_was_searched(site: Site, dlq: Dlq) -> None:
    beyond = dlq.look("trace", f"{site.topic}:0:99")
    assert beyond.code == 1
    assert f"{site.topic}:0 has the offsets from 0 up to 5" in beyond.err
    assert f"{site.topic} has 2 partitions" in dlq.look("trace", f"{site.topic}:7:0").err
    other = dlq.look("trace", "--message-id", "01KB4000000000000000000000")
    assert other.code == 1
    assert f"{site.topic}: offset 0, which 2 partitions of it have" in other.err
    assert f"{site.topic}: 6 offsets of 2 partitions" in other.err
    assert dlq.look("trace", "--message-id", "evt_1").code == 1
    assert dlq.look("trace", f"{site.topic}x:0:0").code == 2
    assert dlq.look("trace", "--key", "p-1").code == 2
    assert dlq.look("trace").code == 2


async def test_a_record_that_retention_deleted_is_found_in_its_dead_letter(site: Site, dlq: Dlq) -> None:
    site.mapping = site.mapping.replace("userId: person", "userId: missing")
    site.kafka.append(site.topic, 1, [HAPPENED], key=b"p-9", timestamp=int(time.time() * 1000) - 5000)
    assert await site.run_job() == 0
    site.kafka.delete_before(site.topic, 1, 2)
    site.mapping = site.mapping.replace("userId: missing", "userId: person")
    (found,) = traced(dlq, f"{site.topic}:1:1")
    assert (found["in_topic"], found["finished"]) == (False, True)
    assert found["dead_letter"]["reason"] == "MISSING_ID"
    assert traced(dlq, "--message-id", found["calls"][0]["messageId"]) == [found]
    assert "no longer in its topic" in dlq.look("trace", f"{site.topic}:1:1").out
    assert await dlq.replayed() == (1, ANY)
    assert traced(dlq, f"{site.topic}:1:1")[0]["dead_letter"]["state"] == "resolved"
