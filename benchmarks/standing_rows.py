"""Rows that tell what a worker needs to stand there: memory, and time to begin."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.events import MAPPING, event, orders
from benchmarks.rows import Bench, Row
from benchmarks.stage import Sink, Worker, create_topics, produce, sink, status_mib, worker

FILES = 100
RULES = 20


def memory(bench: Bench) -> Iterator[Row]:
    """Resident memory: idle, in an hour's worth of backlog (1,000 events/s), with the API down."""
    usual = bench.usual() if bench.quick else bench.topic("hour", orders(3_600_000))
    quiet = bench.topic("quiet")
    with sink() as into:
        yield _resident(bench, "idle", quiet, 80, into, 5 if bench.quick else 20)
    with sink(latency=0.05) as into:
        yield _resident(bench, f"backlog of {usual[1]:,} events, 50 ms", usual, 200, into)
    with sink(status=503) as into:
        yield _resident(bench, "API down (503)", usual, 300, into, 60 if bench.quick else 600)


def _resident(  # noqa: PLR0913, PLR0917 - what tells one situation from another
    bench: Bench, what: str, topic: tuple[str, int], most: int, into: Sink, seconds: float | None = None
) -> Row:
    name, events = topic
    with worker(bench.servers, name, into.url) as running:
        levels = list(_levels(running, into, events, seconds))
        highest = status_mib(running.process.pid, "VmHWM")
    # Half-way everything is warm: from there on it must be level.
    late = levels[len(levels) // 2 :]
    quarter = max(1, len(late) // 2)
    rise = statistics.mean(late[-quarter:]) - statistics.mean(late[:quarter])
    return Row(
        what,
        f"{highest:.0f} MiB; last quarter against the one before: {rise:+.1f} MiB",
        f"≤ {most} MiB, level",
        highest <= most and rise < 0.05 * highest,
    )


def _levels(running: Worker, into: Sink, events: int, seconds: float | None) -> Iterator[float]:
    """Resident MiB every so often: for some seconds, or until all events have arrived."""
    began = time.monotonic()
    while time.monotonic() - began < (seconds or 300):
        yield status_mib(running.process.pid, "VmRSS")
        if running.process.poll() is not None:
            raise RuntimeError("the worker ended")
        if seconds is None and into.get()["calls"] >= events:
            return
        time.sleep(0.2)


def start(bench: Bench) -> Iterator[Row]:
    """From the start, and from joining the group, to the first delivered call, with 100 files of 20 rules."""
    topics = [f"topic-{number}" for number in range(FILES)]
    create_topics(bench.servers, *topics, partitions=1)
    produce(bench.servers, topics[-1], [(b"key", event(0))])
    times = [_first_call(bench, topics) for _ in range(1 if bench.quick else 3)]
    joined = statistics.median(each for _, each in times)
    yield Row(
        "joined the group → first delivered call",
        f"{joined:.2f} s (linger 0.5 s included)",
        "< 2 s",
        joined < 2,
    )
    yield Row("process start → first delivered call", f"{statistics.median(each for each, _ in times):.2f} s")


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
