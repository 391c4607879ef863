"""What lies in Kafka when a world has come to rest: records, dead letters, and every commit of the group."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.campaign.events import Event
from tests.campaign.history import Commit, DeadLetter, Source
from tests.support.kafka_client import SECONDS, Headers
from worker.core.records import Partition

OFFSETS = "__consumer_offsets"


def partitions_of(consumer: Consumer, topic: str) -> list[Partition]:
    """All partitions of a topic."""
    return [
        (topic, number) for number in consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
    ]


def sources(servers: str, topics: list[str], events: list[Event]) -> list[Source]:
    """All records of the source topics, with the events that they were made from."""
    return [
        Source(
            (topic, message.partition() or 0),
            message.offset() or 0,
            message.timestamp()[1],
            message.key(),
            message.value(),
            (headers := headers_of(message)),
            events[int(dict(headers)["n"] or b"")],
        )
        for topic in topics
        for message in messages(servers, topic)
    ]


def dead_letters(servers: str, topic: str) -> list[DeadLetter]:
    """All records of the dead-letter topic."""
    return [
        DeadLetter(
            f"{message.partition()}:{message.offset()}",
            message.timestamp()[1] / 1000,
            message.partition() or 0,
            message.key(),
            message.value(),
            headers_of(message),
        )
        for message in messages(servers, topic)
    ]


def commits(servers: str, group: str) -> list[Commit]:
    """All commits of a group, in the order in which its coordinator stored them."""
    return [
        commit
        for message in messages(servers, OFFSETS)
        if (key := message.key()) is not None
        and (value := message.value()) is not None
        and (commit := _commit(key, value, group)) is not None
    ]


def messages(servers: str, topic: str) -> Iterator[Message]:
    """All records of a topic up to its ends of now."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "campaign", "enable.partition.eof": True, "log_level": 0}
    )
    try:
        places = [TopicPartition(*each, 0) for each in partitions_of(consumer, topic)]
        consumer.assign(places)
        left = len(places)
        while left:
            message = consumer.poll(SECONDS)
            assert message is not None, f"{topic} cannot be read"
            if (error := message.error()) is None:
                yield message
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left -= 1
    finally:
        consumer.close()


def headers_of(message: Message) -> Headers:
    """All headers, in order."""
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


# Kafka's own format of commits: OffsetCommitKey.json and OffsetCommitValue.json in its group-coordinator module.


class _Reader(NamedTuple):
    data: bytes

    def text(self, at: int) -> tuple[str, int]:
        """Text with its length in two bytes, and where the next field begins."""
        (length,) = struct.unpack_from(">h", self.data, at)
        return self.data[at + 2 : at + 2 + length].decode(), at + 2 + length


def _commit(key: bytes, value: bytes, group: str) -> Commit | None:
    """A commit of the group; None for other entries of the topic."""
    (version,) = struct.unpack_from(">h", key)
    if version > 1:
        return None
    name, at = _Reader(key).text(2)
    topic, at = _Reader(key).text(at)
    (partition,) = struct.unpack_from(">i", key, at)
    if name != group:
        return None
    version, offset = struct.unpack_from(">hq", value)
    if version < 3:
        raise ValueError(f"a commit in version {version} of its format")
    # The leader's epoch comes before the metadata, whose length is of two bytes up to version 3, and then a varint.
    at = 14
    if version == 3:
        _, at = _Reader(value).text(at)
    else:
        length, at = _varint(value, at)
        at += length - 1
    (millis,) = struct.unpack_from(">q", value, at)
    return Commit(millis / 1000, (topic, partition), offset)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
