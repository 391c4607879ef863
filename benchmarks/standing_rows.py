"""Rows that tell what a worker needs to stand there: memory, and time to begin."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial

from benchmarks.events import MAPPING, orders
from benchmarks.processes import status_mib
from benchmarks.rows import Bench, Row, Topic, spread
from benchmarks.stage import PATIENCE_SECONDS, Sink, Worker, sink, worker
from benchmarks.topics import ensure_topics

FILES = 100
RULES = 20

LEVEL = 1.05
"""What memory may be in the last third of the time, against the first."""


def memory(bench: Bench) -> Iterator[Row]:
    """Resident memory, one run each: idle, in an hour's worth of backlog (1,000 events/s), with the API down."""
    backlog = bench.usual() if bench.quick else bench.topic("orders-5000-keys", 3_600_000, orders)
    quiet = bench.topic("quiet", 0, orders)
    with sink() as into:
        yield _resident(bench, "idle", quiet, 80, into, 10 if bench.quick else 60)
    with sink(latency=0.05) as into:
        yield _resident(bench, f"backlog of {backlog[1]:,} events, 50 ms", backlog, 200, into)
    with sink(status=503) as into:
        yield _resident(bench, "API down (503)", backlog, 300, into, 30 if bench.quick else 600)


def _resident(  # noqa: PLR0913, PLR0917 - what tells one situation from another
    bench: Bench, what: str, topic: Topic, most: int, into: Sink, seconds: float | None = None
) -> Row:
    """Resident memory of a worker; and, in time enough, whether it is level: the first third against the last."""
    name, events = topic
    with worker(bench.servers, name, into.url) as running:
        levels = list(_levels(running, into, events, seconds))
        highest = status_mib(running.process.pid, "VmHWM")
    third = len(levels) // 3
    first, last = statistics.mean(levels[:third]), statistics.mean(levels[-third:])
    return Row(
        f"resident: {what}",
        f"{highest:.0f} MiB at most; first third {first:.1f}, last third {last:.1f}",
        f"≤ {most} MiB" if bench.quick else f"≤ {most} MiB, level",
        highest <= most and (bench.quick or last < LEVEL * first),
    )


def _levels(running: Worker, into: Sink, events: int, seconds: float | None) -> Iterator[float]:
    """Resident MiB every so often, for some seconds or until all events have arrived; the first fifth is left out."""
    if seconds is None:
        into.wait_for(events // 5, [running.process])
    else:
        time.sleep(seconds / 5)
    began = time.monotonic()
    while time.monotonic() - began < (seconds * 4 / 5 if seconds else PATIENCE_SECONDS):
        if running.process.poll() is not None:
            raise RuntimeError("the worker ended")
        yield status_mib(running.process.pid, "VmRSS")
        if seconds is None and into.get()["calls"] >= events:
            return
        time.sleep(0.1)
    if seconds is None:
        raise RuntimeError(f"not all events arrived within {PATIENCE_SECONDS} s")


def start(bench: Bench) -> Iterator[Row]:
    """From the start, and from joining the group, to the first delivered call, with 100 files of 20 rules."""
    topics = [f"start-{number}" for number in range(1, FILES)]
    ensure_topics(bench.servers, *topics, partitions=1)
    topics.append(bench.topic("start", 1, orders, partitions=1)[0])
    (times,) = bench.in_turn(partial(_first_call, bench, topics))
    joined = [each for _, each in times]
    yield Row(
        "joined the group → first delivered call",
        f"{spread(joined)} s (linger 0.5 s included)",
        "< 2 s",
        max(joined) < 2,
    )
    yield Row("process start → first delivered call", f"{spread(each for each, _ in times)} s")


def _first_call(bench: Bench, topics: list[str]) -> tuple[float, float]:
    """Seconds since the start, and since the group knew the worker."""
    with (
        sink() as into,
        worker(bench.servers, "", into.url, *(_file(topic) for topic in topics)) as running,
    ):
        into.wait_for(1, [running.process])
        now = time.time()
        joined = running.when("partitions_assigned")
        assert joined, "nothing is delivered without partitions"
        return now - running.began, now - joined


def _file(topic: str) -> str:
    """A mapping file whose last rule is the benchmark's."""
    head, rule = MAPPING.replace("[orders]", f"[{topic}]").split("rules:\n")
    others = "".join(rule.replace("order.completed", f"order.step_{number}") for number in range(RULES - 1))
    return f"{head}rules:\n{others}{rule}"
