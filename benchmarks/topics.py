"""Topics of benchmarks: created, filled, and used again if they are already there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not re-exported explicitly

from benchmarks.events import Event

PARTITIONS = 4
TIMEOUT_SECONDS = 60


def create_topics(
    servers: str, *topics: str, partitions: int = PARTITIONS, config: Mapping[str, str] | None = None
) -> None:
    """Create topics, and wait until they are there."""
    admin = _admin(servers)  # must live until it has answered
    creations = admin.create_topics(
        [NewTopic(topic, partitions, 1, config=dict(config or {})) for topic in topics]
    )
    for creation in creations.values():
        creation.result()
    _wait_until(lambda: admin.list_topics(timeout=TIMEOUT_SECONDS).topics.keys() >= set(topics))


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
    _wait_until(lambda: topic not in admin.list_topics(timeout=TIMEOUT_SECONDS).topics)


def _wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Kafka did not create or delete a topic within {TIMEOUT_SECONDS} s")
        time.sleep(0.1)


def fill_topic(
    servers: str, topic: str, events: int, make: Callable[[int], Iterable[Event]], partitions: int
) -> None:
    """Let a topic hold exactly these events. One that already holds as many is used as it is."""
    fill_topics(servers, [topic], events, make, partitions)


def fill_topics(
    servers: str, topics: Sequence[str], events: int, make: Callable[[int], Iterable[Event]], partitions: int
) -> None:
    """Let each topic hold exactly these events; see `fill_topic`."""
    held = count_events(servers, topics)
    for topic in topics:
        if held.get(topic, 0) not in {0, events}:
            delete_topic(servers, topic)
    ensure_topics(servers, *topics, partitions=partitions)
    lacking = [topic for topic in topics if held.get(topic) != events]
    produce(servers, ((topic, *each) for topic in lacking for each in make(events)))


def count_events(servers: str, topics: Iterable[str]) -> dict[str, int]:
    """How many events each of these topics holds that exist."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "benchmarks", "log_level": 3})
    try:
        known = consumer.list_topics(timeout=TIMEOUT_SECONDS).topics
        return {
            topic: sum(_count(consumer, topic, number) for number in known[topic].partitions)
            for topic in topics
            if topic in known
        }
    finally:
        consumer.close()


def _count(consumer: Consumer, topic: str, partition: int) -> int:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_SECONDS)
    return int(high - low)


def produce(servers: str, events: Iterable[tuple[str, bytes, bytes]], a_second: float | None = None) -> int:
    """Produce events, each with its topic, as fast as possible or at a rate; returns how many."""
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
    for number, (topic, key, value) in enumerate(events, 1):
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


def into_topic(topic: str, events: Iterable[Event]) -> Iterator[tuple[str, bytes, bytes]]:
    """Events of one topic, for `produce`."""
    return ((topic, *event) for event in events)


def _admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers, "log_level": 3})
