"""Rows that tell what an event costs: with telemetry, with several calls, with more workers."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from benchmarks.events import THREE_CALLS, orders
from benchmarks.rows import Bench, Row, Topic, absolute, ratio
from benchmarks.stage import Measured, measure, sink, worker
from benchmarks.topics import create_topics, delete_topic, produce


def telemetry(bench: Bench) -> Iterator[Row]:
    """Metrics scraped each second and 1 % of the requests traced, against neither."""
    topic = bench.usual()
    off, on = bench.in_turn(lambda: bench.run(topic), lambda: _told(bench, topic))
    yield ratio("CPU an event: telemetry on / off", on, off, target=1.03)


def _told(bench: Bench, topic: Topic) -> Measured:
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


def calls(bench: Bench) -> Iterator[Row]:
    """Records with three calls each, against records with one."""
    usual = bench.usual()
    three, one = bench.in_turn(
        partial(bench.run, usual, THREE_CALLS, calls_of_event=3), partial(bench.run, usual)
    )
    yield ratio("CPU a call: three calls a record / one", three, one)


def workers(bench: Bench) -> Iterator[Row]:
    """One, two and three workers of one group on twelve partitions: CPU of all of them together."""
    one, two, three = bench.in_turn(*(partial(_team, bench, members) for members in (1, 2, 3)))
    yield absolute("one worker", one)
    yield ratio("CPU an event: two workers / one", two, one, target=1.1)
    yield ratio("CPU an event: three workers / one", three, one, target=1.1)


def _team(bench: Bench, members: int) -> Measured:
    topic = group = f"team-{uuid.uuid4().hex}"
    create_topics(bench.servers, topic, partitions=12)
    with ExitStack() as stack:
        stack.callback(delete_topic, bench.servers, topic)
        into = stack.enter_context(sink())
        team = [
            stack.enter_context(worker(bench.servers, topic, into.url, group=group)).process
            for _ in range(members)
        ]
        _wait_for_balance(bench.servers, group, members)
        for each in team:  # until all events are there, so that they meet a backlog
            os.kill(each.pid, signal.SIGSTOP)
        events = produce(bench.servers, topic, orders(bench.events // 2))  # again for each run
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
