"""What may not have the effect that was meant is counted, and logged once a rule and kind without quoting it."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.worker_process import Site
from worker.core.timestamps import from_millis
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

MAPPING = """\
topics: [{topic}]
rules:
  - when: kind == 'known'
    call: identify
    userId: who
    timestamp: at
    traits: data
  - {{when: kind == 'bought', call: track, event: Bought, userId: who, timestamp: at}}
"""

SECRET = "a-person-who-is-never-quoted"
TIME = int(time.time() * 1000)  # an old record would be deleted by the topic's retention
FUTURE = "2099-01-01T00:00:00.000Z"


async def test_notices_are_logged_once_a_rule_and_kind_and_times_are_replaced(
    site: Site, emulator: Emulator
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    long = {SECRET + "x" * 200: 1, "bio": SECRET * 50, "id": SECRET}
    for kind in ("known", "bought", "known", "bought"):
        value = json.dumps({"kind": kind, "who": SECRET + "y" * 150, "at": FUTURE, "data": long}).encode()
        site.kafka.append(site.topic, 0, [value], key=b"k", timestamp=TIME)
    assert await site.run_job() == 0
    assert [call["timestamp"] for call in emulator.received.calls()] == [from_millis(TIME)] * 4
    (worker,) = site.workers
    told = sorted((line["rule"].rpartition(":")[2], line["kind"]) for line in worker.told("calls_noticed"))
    assert told == [
        ("3", "future_time"),
        ("3", "id_length"),
        ("3", "reserved_trait"),
        ("3", "trait_name_length"),
        ("3", "trait_value_size"),
        ("8", "future_time"),
        ("8", "id_length"),
    ]
    assert SECRET not in worker.output
