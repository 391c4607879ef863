"""The row about memory over a day of traffic, with members that come and go."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from statistics import mean

from benchmarks.events import Event, order
from benchmarks.processes import status_mib
from benchmarks.rows import Bench, Row
from benchmarks.stage import Sink, Worker, sink, worker
from benchmarks.topics import create_topics, delete_topic, into_topic, produce

DAY_EVENTS = 8_640_000
"""100 a second for 24 hours."""

KEYS = 1_000_000

FULL_SECONDS, QUICK_SECONDS = 900.0, 60.0

REBALANCE_SECONDS, QUICK_REBALANCE_SECONDS = 60.0, 10.0
"""A second member joins at the beginning of each such interval, and leaves in the middle."""

LEVEL = 1.02
"""What memory may be in the last tenth of the time, of the first."""

SAMPLE_SECONDS = 0.1

ARRIVAL_SECONDS = 30.0
"""How long to wait at the end for what has not arrived yet."""


def day(bench: Bench) -> Iterator[Row]:
    """Memory over 24 hours of traffic in 15 minutes, a member joining and leaving each minute: one run.

    With `--quick` an hour and a half of it in a minute, members every 10 s. The tenths are of the time after the first
    member has left.
    """
    seconds, interval = (
        (QUICK_SECONDS, QUICK_REBALANCE_SECONDS) if bench.quick else (FULL_SECONDS, REBALANCE_SECONDS)
    )
    rate = DAY_EVENTS / FULL_SECONDS
    topic = f"day-{uuid.uuid4().hex}"
    # A disk does not hold all: the log keeps what the last minutes brought.
    create_topics(bench.servers, topic, config={"retention.ms": "60000", "segment.bytes": str(32 << 20)})
    try:
        with sink() as into, ThreadPoolExecutor(1) as beside:
            events = into_topic(topic, _orders_of_a_day(int(seconds * rate)))
            producing = beside.submit(produce, bench.servers, events, rate)
            levels = _levels(bench, topic, into, producing, interval)
            arrived = into.wait_for(0, [])
    finally:
        delete_topic(bench.servers, topic)
    tenths = [mean(levels[n * len(levels) // 10 : (n + 1) * len(levels) // 10]) for n in range(10)]
    yield Row(
        "resident memory: last tenth / first",
        f"{tenths[-1] / tenths[0]:.3f}; {max(levels):.1f} MiB at most",
        f"≤ {LEVEL:.2f}",
        tenths[-1] <= LEVEL * tenths[0],
    )
    yield Row("its tenths", f"{' '.join(f'{each:.1f}' for each in tenths)} MiB")
    yield Row("calls delivered, repeats included / events", f"{arrived / producing.result():.3f}")


def _levels(bench: Bench, topic: str, into: Sink, producing: Future[int], interval: float) -> list[float]:
    """Resident MiB of the first member, while a second joins and leaves, until all is produced."""
    group = uuid.uuid4().hex
    levels: list[float] = []
    with worker(bench.servers, topic, into.url, group=group) as running:
        for number in count():
            with worker(bench.servers, topic, into.url, group=group) as other:
                levels += _sample(running, interval / 2)
                _leave(other)
            if number == 0:
                levels.clear()
            levels += _sample(running, interval / 2)
            if producing.done():
                break
        into.wait_for(producing.result(), [running.process], ARRIVAL_SECONDS)
    return levels


def _sample(running: Worker, seconds: float) -> list[float]:
    levels, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise RuntimeError("the worker ended")
        levels.append(status_mib(running.process.pid, "VmRSS"))
        time.sleep(SAMPLE_SECONDS)
    return levels


def _leave(other: Worker) -> None:
    """End a member as an operator does, so that it commits and leaves its group."""
    other.process.terminate()
    other.process.wait(60)


def _orders_of_a_day(events: int) -> Iterator[Event]:
    """Orders of many customers, most of whom are seen a few times only."""
    draw = random.Random(1)
    for number in range(events):
        customer, hour = f"cust-{draw.randrange(KEYS):06d}", number * 24 // events
        yield customer.encode(), order(number, customer).replace(b"T10:", b"T%02d:" % hour)
