"""Rows that tell what an event costs: with telemetry, in other shapes, with more workers."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from benchmarks.events import LARGE, MAPPER, MAPPING, THREE_CALLS, orders, small
from benchmarks.rows import Bench, Row
from benchmarks.stage import Measured, create_topics, floor, measure, produce, sink, worker


def telemetry(bench: Bench) -> Iterator[Row]:
    """Metrics scraped each second and 1 % of the requests traced, against neither, in turn."""
    topic = bench.usual()
    runs = [(bench.run(topic), _told(bench, topic)) for _ in range(bench.rounds)]
    ratios = [on.cpu / off.cpu for off, on in runs]
    ratio = statistics.median(ratios)
    off, on = (statistics.median(each.cpu for each in way) for way in zip(*runs, strict=True))
    yield Row(
        "telemetry on / off: CPU an event",
        f"{ratio:.2f} (min {min(ratios):.2f}); {on:.2f} / {off:.2f} µs",
        "≤ 1.03",
        ratio <= 1.03,
    )


def _told(bench: Bench, topic: tuple[str, int]) -> Measured:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with sink() as collector, _scraping(f"http://{listen}/metrics"):
        return bench.run(
            topic,
            settings={
                "HTTP__LISTEN": listen,
                "TELEMETRY__OTLP_ENDPOINT": collector.url,
                "TELEMETRY__TRACE_SAMPLE_RATIO": 0.01,
            },
        )


@contextmanager
def _scraping(url: str) -> Iterator[None]:
    done = threading.Event()

    def scrape() -> None:
        while not done.wait(1):
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # not up yet; gone
                answer.read()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield
    finally:
        done.set()
        scraper.join()


def shapes(bench: Bench) -> Iterator[Row]:
    """Other events and mappings, each against the floor on the same events."""
    usual = bench.usual()
    tiny = bench.topic("small", small(bench.events * (3 if bench.quick else 10)))
    large = bench.topic("large", orders(bench.events // 20, lines=LARGE))
    yield _against_floor(bench, "usual (389 B)", usual, MAPPING)
    yield _against_floor(bench, f"small (133 B), {tiny[1]:,} events", tiny, MAPPING)
    yield _against_floor(bench, "large (20 kB)", large, MAPPING)
    yield _against_floor(bench, "Python mapper", usual, MAPPER)
    usually, three = bench.run(usual), bench.run(usual, THREE_CALLS, calls_of_event=3)
    yield Row(
        "three calls of a record",
        f"{three.cpu:.2f} µs a call, {three.rate:,.0f} calls/s, fill {three.fill:.2f}",
        f"one call: {usually.cpu:.2f} µs",
    )


def _against_floor(bench: Bench, what: str, topic: tuple[str, int], mapping: str) -> Row:
    name, events = topic
    pairs = []
    for _ in range(max(1, bench.rounds // 2)):
        with sink() as into, floor(bench.servers, name, into.url, events) as process:
            least = measure([process], into, events)
        pairs.append((bench.run(topic, mapping), least))
    ours, theirs = (statistics.median(each.cpu for each in way) for way in zip(*pairs, strict=True))
    ratio = statistics.median(ours.cpu / theirs.cpu for ours, theirs in pairs)
    rate = statistics.median(ours.rate for ours, _ in pairs)
    return Row(
        what,
        f"{ours:.2f} µs an event, {rate:,.0f} events/s, fill {pairs[0][0].fill:.2f}",
        f"floor {theirs:.2f} µs: ratio {ratio:.2f}",
    )


def workers(bench: Bench) -> Iterator[Row]:
    """One, two and three workers of one group on twelve partitions: CPU of all of them together."""
    alone = _team(bench, 1)
    yield Row("one worker", f"{alone.cpu:.2f} µs an event")
    for members in (2, 3):
        ratio = (team := _team(bench, members)).cpu / alone.cpu
        yield Row(
            f"{members} workers: CPU an event / one's",
            f"{ratio:.2f} ({team.cpu:.2f} µs)",
            "≤ 1.10",
            ratio <= 1.1,
        )


def _team(bench: Bench, members: int) -> Measured:
    topic, group = f"team-{members}", uuid.uuid4().hex
    create_topics(bench.servers, topic, partitions=12)
    with ExitStack() as stack:
        into = stack.enter_context(sink())
        team = [
            stack.enter_context(worker(bench.servers, topic, into.url, group=group)).process
            for _ in range(members)
        ]
        _wait_for_balance(bench.servers, group, members)
        for each in team:  # until all events are there, so that they meet a backlog
            os.kill(each.pid, signal.SIGSTOP)
        events = produce(bench.servers, topic, orders(bench.events))
        for each in team:
            os.kill(each.pid, signal.SIGCONT)
        return measure(team, into, events)


def _wait_for_balance(servers: str, group: str, members: int) -> None:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        described = admin.describe_consumer_groups([group])[group].result()
        shares = [len(member.assignment.topic_partitions) for member in described.members]
        if described.state == ConsumerGroupState.STABLE and shares == [12 // members] * members:
            return
        time.sleep(0.2)
    raise RuntimeError("the group did not come to rest within a minute")
