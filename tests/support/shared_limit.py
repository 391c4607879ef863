"""What tests of `rate_limit.scope: group` on a real Kafka set, and look at."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter

from tests.support.worker_process import MAPPING, PATIENCE_SECONDS, Site, WorkerProcess
from worker.emulator import Emulator
from worker.emulator.received import Query

PER = 1.0
"""Seconds of a window in these tests."""


def share_the_limit(site: Site, emulator: Emulator, requests: int = 20) -> None:
    """So many requests in a second for the group; each event is one request."""
    emulator.rate.requests, emulator.rate.per = requests, PER
    site.change("rate_limit", requests=requests, per="1s", scope="group")
    site.change("batch", max_calls=1, linger="0s")
    site.change("delivery", shutdown_timeout="1s")


def with_a_session_of(site: Site, seconds: int) -> None:
    """Let the group take partitions from members that it has not heard of for so long."""
    if "group.protocol" in site.settings["kafka"]["properties"]:
        site.kafka.set_session_timeout(site.group, seconds * 1000)
    else:
        site.change_property("session.timeout.ms", seconds * 1000)


def subscribe(site: Site, topics: str) -> None:
    """Have the workers read these: a name or a pattern."""
    site.mapping = MAPPING.format(topics=json.dumps([topics]))


async def share(worker: WorkerProcess) -> float:
    """What a member may send, as its status page says."""
    return float((await worker.status())["rate_limit_share"])


async def has_share(worker: WorkerProcess, requests: float) -> None:
    """Wait until a member may send so much."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not math.isclose(await share(worker), requests):  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.1)


def over_the_limit(emulator: Emulator) -> list[str]:
    """The requests of each window with too many: number, time, status. Status 0: its connection was closed.

    Then the topics whose events came: a worker that another test has left behind would send those of another.
    """
    sent = list(emulator.traffic.last)
    n = emulator.rate.requests
    windows = [
        sent[first : first + n + 1]
        for first in range(len(sent) - n)
        if sent[first + n].at - sent[first].at < emulator.rate.per
    ]
    calls = emulator.received.calls(Query(limit=emulator.traffic.total))
    topics = Counter(str(call.get("userId")).partition("@")[2] for call in calls)
    return [
        *(f"{each.number} at {each.at:.4f}: {each.status}" for window in windows for each in window),
        f"{topics}",
    ]
