"""Rows about several members of one group: what they cost together, and how soon a new one works."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import inf
from statistics import median

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from benchmarks.events import orders
from benchmarks.rows import Bench, Row, absolute, ratio, spread
from benchmarks.stage import Measured, Sink, measure, sink, worker
from benchmarks.topics import create_topics, delete_topic, into_topic, produce

JOIN_EVENTS = 7_000_000
"""Enough that the backlog outlasts a run of `join`."""

WARM, ALONE, TOGETHER, SETTLED = 1.0, 2.0, 10.0, 4.0
"""Seconds of a run of `join`: before and while the rate of one member is measured, after the second is started, and of
these the last ones, whose rates are each member's full speed."""

WINDOW, FULL = 1.0, 0.8
"""A member works at full speed from the moment on after which it delivers, for `WINDOW` seconds, at least this part of
the rate that it settles at."""

STANDING = 0.1
"""A member whose rate is below this part of what one had alone is not taken to work at all."""

PROTOCOLS = ("classic", "consumer")

Sample = tuple[float, tuple[int, ...]]
"""A moment, and how many calls of each member had arrived."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A run of `join`.

    Attributes:
        seconds: from the start of the second process until both members worked at full speed; infinite if they did not.
        meanwhile: throughput in this time, of the first member's before.
        together: the same once both work at full speed.
    """

    seconds: float
    meanwhile: float
    together: float


def join(bench: Bench) -> Iterator[Row]:
    """A second member joins a backlog: from its start until both deliver 0.8 of what each settles at, for a second."""
    topic, _ = bench.topic("orders-5000-keys", JOIN_EVENTS, orders)
    for protocol, runs in zip(
        PROTOCOLS, bench.in_turn(*(partial(_join, bench, topic, each) for each in PROTOCOLS)), strict=True
    ):
        seconds, meanwhile = [run.seconds for run in runs], [run.meanwhile for run in runs]
        together = spread(run.together for run in runs)
        yield Row(
            f"{protocol}: until both work at full speed",
            f"{spread(seconds)} s; then {together} of one",
            "≤ 5 s",
            median(seconds) <= 5,
        )
        yield Row(
            f"{protocol}: throughput meanwhile / of one",
            spread(meanwhile),
            "≥ 0.90",
            median(meanwhile) >= 0.9,
        )


def _join(bench: Bench, topic: str, protocol: str) -> Joined:
    """Each member has a sink of its own, which tells its calls from the other's."""
    group = uuid.uuid4().hex
    with ExitStack() as stack:
        sinks = [stack.enter_context(sink()) for _ in range(2)]

        def start(into: Sink) -> None:
            stack.enter_context(
                worker(bench.servers, topic, into.url, group=group, properties={"group.protocol": protocol})
            )

        start(sinks[0])
        sinks[0].wait_for(1, [])
        _follow(sinks, WARM)
        alone = _rates(_follow(sinks, ALONE))[0]
        start(sinks[1])
        return _judge(_follow(sinks, TOGETHER), alone)


def _follow(sinks: list[Sink], seconds: float) -> list[Sample]:
    """What has arrived, twenty times a second."""
    samples: list[Sample] = []
    until = time.monotonic() + seconds
    while not samples or samples[-1][0] < until:
        calls = tuple(int(each.get()["calls"]) for each in sinks)
        samples.append((time.monotonic(), calls))
        time.sleep(0.05)
    if sum(samples[-1][1]) >= JOIN_EVENTS:
        raise RuntimeError("the backlog came to its end: use more events")
    return samples


def _judge(samples: list[Sample], alone: float) -> Joined:
    settled = _rates(_within(samples, samples[-1][0] - SETTLED, SETTLED))
    full = min(settled) > STANDING * alone
    moment = _full_speed_from(samples, settled) if full else samples[-1][0]
    began = samples[0][0]
    meanwhile = sum(_rates(_within(samples, began, moment - began)))
    return Joined(moment - began if full else inf, meanwhile / alone, sum(settled) / alone)


def _full_speed_from(samples: list[Sample], settled: list[float]) -> float:
    for moment, _ in samples:
        rates = _rates(_within(samples, moment, WINDOW))
        if all(rate >= FULL * own for rate, own in zip(rates, settled, strict=True)):
            return moment
    raise RuntimeError("no moment at full speed: the rates vary too much")


def _within(samples: list[Sample], began: float, seconds: float) -> list[Sample]:
    return [each for each in samples if began <= each[0] <= began + seconds]


def _rates(samples: list[Sample]) -> list[float]:
    """Calls a second of each member."""
    (began, before), (ended, after) = samples[0], samples[-1]
    return [(now - then) / max(ended - began, 1e-9) for now, then in zip(after, before, strict=True)]


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
        wait_for_balance(bench.servers, group, [12 // members] * members)
        for each in team:  # until all events are there, so that they meet a backlog
            os.kill(each.pid, signal.SIGSTOP)
        events = produce(bench.servers, into_topic(topic, orders(bench.events // 2)))  # again for each run
        for each in team:
            os.kill(each.pid, signal.SIGCONT)
        return measure(team, into, events)


def wait_for_balance(servers: str, group: str, shares: list[int]) -> None:
    """Wait until a group is at rest, and its members have so many partitions."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        described = admin.describe_consumer_groups([group])[group].result()
        found = [len(member.assignment.topic_partitions) for member in described.members]
        if described.state == ConsumerGroupState.STABLE and found == shares:
            return
        time.sleep(0.2)
    raise RuntimeError("the group did not come to rest within a minute")
