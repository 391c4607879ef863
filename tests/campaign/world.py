"""A small world, drawn from a seed: topics, events, a group of workers and their settings."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.campaign.events import BAD, KINDS, Event, draw_event

SESSION_SECONDS = 4.0
"""After so long without a heartbeat a member loses its partitions, with either group protocol."""

TIMEOUT_SECONDS = 3.0
"""How long a worker waits for a response."""

DRAIN_SECONDS = 15.0
"""`delivery.shutdown_timeout`."""

WORK_SECONDS = 10.0
"""About how long the workers would take for all events without faults, if requests cost nothing."""

MOST_RECORDS, LEAST_RECORDS = 15_000, 400


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with its mapping file.

    Attributes:
        unmatched: what its mapping does with events that no rule matches.
        weights: how often each kind of event comes.
    """

    partitions: int
    unmatched: str
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Everything but the faults.

    Attributes:
        members: the number of processes of each member at the start; 1: no supervisor.
        shares: `rate_limit.scope`.
        latency: seconds that the API takes at least.
        strict_batches: what the API does with the good calls of a batch with a bad one.
        skew: of keys: 1 is uniform.
        before: the share of events that is produced before the first member starts.
        seconds: in which the rest is produced.
    """

    seed: int
    topics: tuple[Topic, ...]
    dead_letter_partitions: int
    protocol: str
    strategy: str
    static: bool
    members: tuple[int, ...]
    shares: str
    requests: int
    per: float
    linger: float
    max_calls: int
    max_bytes: int
    in_flight: int
    max_records: int
    context: str
    latency: float
    strict_batches: str
    records: int
    keys: int
    skew: int
    contexts: int
    padding: int
    before: float
    seconds: float

    @property
    def words(self) -> str:
        """The world in one line."""
        partitions = "+".join(str(each.partitions) for each in self.topics)
        group = f"{self.protocol}{'' if self.protocol == 'consumer' else '/' + self.strategy}"
        members = "+".join(map(str, self.members))
        return (
            f"{partitions} partitions, {group}{', static' if self.static else ''}, processes {members}, "
            f"{self.requests} requests/{self.per:g}s a {self.shares}, {self.in_flight} in flight of "
            f"{self.max_calls} calls, {self.keys} keys^{self.skew}"
        )

    def settings(self) -> dict[str, dict[str, Any]]:
        """The sections of worker.yaml that the world decides."""
        return {
            "batch": {
                "linger": f"{self.linger:g}s",
                "max_calls": self.max_calls,
                "max_bytes": self.max_bytes,
                "context": self.context,
            },
            "rate_limit": {"requests": self.requests, "per": f"{self.per:g}s", "scope": self.shares},
            "delivery": {
                "max_requests_in_flight": self.in_flight,
                "retry_initial": "50ms",
                "retry_max": "500ms",
                "shutdown_timeout": f"{DRAIN_SECONDS:g}s",
            },
            "memory": {"max_records_in_progress": self.max_records},
        }

    def kafka_properties(self) -> dict[str, Any]:
        """Of both Kafka clients."""
        always = {"topic.metadata.refresh.interval.ms": 1000, "reconnect.backoff.max.ms": 300}
        if self.protocol == "consumer":
            return {**always, "group.protocol": "consumer"}
        return {
            **always,
            "session.timeout.ms": int(SESSION_SECONDS * 1000),
            "heartbeat.interval.ms": 300,
            "partition.assignment.strategy": self.strategy,
        }

    def events(self) -> Iterator[Event]:
        """All events, in the order in which they are produced."""
        rng = random.Random(f"events of {self.seed}")
        keys = [_key(rng, number) for number in range(self.keys)]
        for number in range(self.records):
            topic = rng.randrange(len(self.topics))
            key = keys[int(self.keys * rng.random() ** self.skew)] if rng.random() < 0.95 else None
            yield draw_event(
                rng,
                number,
                topic,
                key,
                weights=self.topics[topic].weights,
                contexts=self.contexts,
                padding=self.padding,
                unmatched=self.topics[topic].unmatched,
            )


def draw_world(seed: int) -> World:
    """The world of a seed: the same in every process and version of Python."""
    rng = random.Random(f"world of {seed}")
    topics = tuple(_topic(rng) for _ in range(rng.choice((1, 1, 2, 3))))
    members = rng.choice(((1,), (1, 1), (1, 1, 1), (2,), (2, 1), (3,), (2, 2)))
    processes = sum(members)
    shares = rng.choice(("process", "process", "group"))
    per = rng.choice((0.5, 1.0, 2.0))
    # A share below one request in a window is only kept on average, so there are enough for each partition.
    least = 2 * sum(each.partitions for each in topics) if shares == "group" else 2 * processes
    requests = max(least, rng.choice((8, 20, 60, 3000)))
    drawn: dict[str, Any] = {
        "linger": rng.choice((0.0, 0.02, 0.1, 0.5)),
        "max_calls": rng.choice((1, 10, 50, 500)),
        "max_bytes": rng.choice((33_000, 60_000, 475_000)),
        "in_flight": rng.choice((1, 2, 4, 8, 16)),
        "latency": rng.choice((0.002, 0.02, 0.1)),
        "padding": rng.choice((0, 200, 1500)),
    }
    world = World(
        seed=seed,
        topics=topics,
        dead_letter_partitions=rng.choice((1, 2, 3)),
        protocol=rng.choice(("classic", "consumer")),
        strategy=rng.choice(("cooperative-sticky", "cooperative-sticky", "range")),
        static=rng.random() < 0.25,
        members=members,
        shares=shares,
        requests=requests,
        per=per,
        max_records=rng.choice((1000, 2000, 50_000)),
        context=rng.choice(("partition", "partition", "per_item")),
        strict_batches=rng.choice(("all-or-nothing", "take-good")),
        records=0,
        keys=rng.choice((1, 20, 300, 3000)),
        skew=rng.choice((1, 2, 4)),
        contexts=rng.choice((1, 3, 20)),
        before=rng.choice((0.0, 0.3, 0.7)),
        seconds=rng.choice((4.0, 8.0, 12.0)),
        **drawn,
    )
    return replace(world, records=_records(world))


def _topic(rng: random.Random) -> Topic:
    weights = {kind: rng.choice((0, 10) if kind in BAD else (0, 100, 300)) for kind in KINDS}
    # To find a call that the API refuses takes many requests.
    weights |= {"one": 300, "refused": rng.choice((0, 1, 3))}
    return Topic(rng.choice((1, 2, 3, 6)), rng.choice(("ignore", "dead_letter")), tuple(weights.values()))


def _records(world: World) -> int:
    """As many as the workers can deliver in time, within the least and the most."""
    at_once = world.in_flight * sum(world.members) / (world.latency + 0.01)
    rate = world.requests / world.per * (1 if world.shares == "group" else len(world.members))
    # A key is in one request at a time, and a context has requests of its own, so requests are not full.
    with_contexts = any(each.weights[list(KINDS).index("context")] for each in world.topics)
    apart = world.contexts if world.context == "partition" and with_contexts else 1
    calls = min(world.max_calls, world.max_bytes // (300 + world.padding), max(2, 30 // apart))
    a_second = min(min(rate, at_once, 150.0) * calls, _of_hottest_key(world, calls))
    return int(min(MOST_RECORDS, max(LEAST_RECORDS, a_second * WORK_SECONDS / 2)))


def _of_hottest_key(world: World, calls: int) -> float:
    """How many records a second can be delivered if the most frequent key waits for a response each time.

    Its calls share a request only as long as the batch context stays the same.
    """
    share = math.pow(world.keys, -1 / world.skew)
    context = list(KINDS).index("context")
    parts = [each.weights[context] / sum(each.weights) for each in world.topics]
    changes = max(2 * part * (1 - part) for part in parts) if world.context == "partition" else 0.0
    in_a_row = min(calls, 1 / changes) if changes else calls
    return in_a_row / (world.latency + 0.01) / share


def _key(rng: random.Random, number: int) -> bytes:
    """Mostly text; some are empty, not UTF-8, or long."""
    odd = rng.random()
    if odd < 0.02:
        return b"\xff\x00" + str(number).encode()
    return b"" if number == 7 else (b"key-%d" % number) * (20 if odd < 0.04 else 1)
