"""Topics of benchmarks: created, filled, and used again if they are already there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not re-exported explicitly

from benchmarks.events import Event

PARTITIONS = 4
TIMEOUT_SECONDS = 60


def create_topics(servers: str, *topics: str, partitions: int = PARTITIONS) -> None:
    """Create topics, and wait until they are there."""
    for creation in (
        _admin(servers).create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values()
    ):
        creation.result()


def ensure_topics(servers: str, *topics: str, partitions: int = PARTITIONS) -> None:
    """Create those of these topics that do not exist."""
    known = _admin(servers).list_topics(timeout=TIMEOUT_SECONDS).topics
    if missing := [topic for topic in topics if topic not in known]:
        create_topics(servers, *missing, partitions=partitions)


def delete_topic(servers: str, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin = _admin(servers)
    for deletion in admin.delete_topics([topic]).values():
        deletion.result()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while topic in admin.list_topics(timeout=TIMEOUT_SECONDS).topics:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the topic {topic} is not deleted")
        time.sleep(0.1)


def fill_topic(
    servers: str, topic: str, events: int, make: Callable[[int], Iterable[Event]], partitions: int
) -> None:
    """Let a topic hold exactly these events. One that already holds as many is used as it is."""
    held = count_events(servers, topic)
    if held == events:
        return
    if held is not None:
        delete_topic(servers, topic)
    create_topics(servers, topic, partitions=partitions)
    produce(servers, topic, make(events))


def count_events(servers: str, topic: str) -> int | None:
    """How many events a topic holds; None if it does not exist."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "benchmarks", "log_level": 3})
    try:
        found = consumer.list_topics(timeout=TIMEOUT_SECONDS).topics.get(topic)
        if found is None:
            return None
        ends = (
            consumer.get_watermark_offsets(TopicPartition(topic, number), TIMEOUT_SECONDS)
            for number in found.partitions
        )
        return sum(high - low for low, high in ends)
    finally:
        consumer.close()


def produce(servers: str, topic: str, events: Iterable[Event], a_second: float | None = None) -> int:
    """Fill a topic, as fast as possible or at a rate; returns the number of events."""
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "log_level": 3,  # otherwise it logs events that are still queued when it is closed
            "linger.ms": 5 if a_second else 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    began = time.perf_counter()
    number = 0
    for number, (key, value) in enumerate(events, 1):
        if a_second:
            while (ahead := number / a_second - (time.perf_counter() - began)) > 0:
                producer.poll(0)
                time.sleep(min(ahead + 0.002, 0.01))
        producer.produce(topic, value, key)
        if number % 10_000 == 0:
            producer.poll(0)
            while len(producer) > 500_000:  # more would not fit
                producer.poll(0.1)
    producer.flush()
    return number


def _admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers, "log_level": 3})
