"""Rows about many partitions, and about TLS."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.events import orders
from benchmarks.lag import REPORTED
from benchmarks.rows import Bench, Row, Topic, absolute, ratio, spread
from benchmarks.stage import Measured, Tls, measure, sink, worker
from benchmarks.topics import fill_topics
from tests.support.certificates import Authority
from tests.support.kafka_cluster import free_ports

TOPICS, PARTITIONS_EACH = 100, 20

SCRAPES = 5
PAUSE = 1.2
"""Between scrapes: a page is reused for a second."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run.

    Attributes:
        measured: its CPU and throughput.
        started: seconds from its start to the first call.
        held: for how long each scrape held the event loop, which had nothing else to do, seconds.
    """

    measured: Measured
    started: float
    held: list[float]


def partitions(bench: Bench) -> Iterator[Row]:
    """2,000 assigned partitions (100 topics), against four: CPU, start, and what a scrape does to the event loop."""
    few = bench.usual()
    names = [f"many-{bench.events}-events-{number}" for number in range(TOPICS)]
    fill_topics(bench.servers, names, bench.events // TOPICS, orders, PARTITIONS_EACH)
    many = ", ".join(names), bench.events // TOPICS * TOPICS
    with tempfile.TemporaryDirectory() as folder:
        ours, baseline = bench.in_turn(
            *(partial(_watched, bench, topic, Path(folder) / "lag") for topic in (many, few))
        )
    yield absolute("4 partitions", [run.measured for run in baseline])
    yield absolute("2,000 partitions", [run.measured for run in ours])
    yield ratio(
        "CPU an event: 2,000 / 4",
        [run.measured for run in ours],
        [run.measured for run in baseline],
        target=1.1,
    )
    starts, gaps = [run.started for run in ours], [gap * 1000 for run in ours for gap in run.held]
    yield Row("process start → first call", f"{spread(starts)} s", "≤ 5 s", median(starts) <= 5)
    yield Row(
        f"a scrape holds the loop, {SCRAPES} a round", f"{spread(gaps)} ms", "≤ 20 ms", median(gaps) <= 20
    )
    few_gaps = spread(gap * 1000 for run in baseline for gap in run.held)
    yield Row("… with 4 partitions", f"{few_gaps} ms")


def _watched(bench: Bench, topic: Topic, lag: Path) -> Watched:
    names, events = topic
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        sink() as into,
        worker(bench.servers, names, into.url, settings={"HTTP__LISTEN": listen}, lag=lag) as running,
    ):
        into.wait_for(1, [running.process])
        started = time.time() - running.began
        measured = measure([running.process], into, events)
        into.wait_for(events, [running.process])
        held = [_held(f"http://{listen}/metrics", lag) for _ in range(SCRAPES)]
        return Watched(measured, started, held)


def _held(url: str, lag: Path) -> float:
    """Scrape once; the longest time that the loop did not run meanwhile, see `lag.py`."""
    time.sleep(PAUSE)
    began = time.monotonic()
    with urllib.request.urlopen(url, timeout=30) as answer:
        answer.read()
    ended = time.monotonic()
    time.sleep(0.1)  # until the probe has written it
    gaps = (tuple(map(float, line.split())) for line in lag.read_text().splitlines())
    return max(
        (until - since for since, until in gaps if since <= ended and until >= began), default=REPORTED
    )


def tls(bench: Bench) -> Iterator[Row]:
    """The same run with a sink that speaks TLS, against one that does not."""
    topic = bench.usual()
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder), "benchmark")
        key, certificate = authority.issue("sink", host="127.0.0.1")
        speaks = Tls(key, certificate, authority.certificate)
        plain, secured = bench.in_turn(partial(bench.run, topic), partial(bench.run, topic, tls=speaks))
    yield ratio("CPU an event: TLS / without", secured, plain, target=1.15)
    yield ratio("events a second: TLS / without", secured, plain, "rate")
