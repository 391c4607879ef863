"""Reads some records of a topic without joining a group: for looking at them, nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from worker.adapters.kafka.clients import make_consumer
from worker.adapters.kafka.properties import consumer_properties
from worker.adapters.kafka.scan import KafkaWalk
from worker.adapters.kafka.start_offsets import offsets_at
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from worker.adapters.kafka.scan import Bounds
    from worker.core.records import Partition, Record
    from worker.settings import Settings

ANSWER_SECONDS = 10.0
"""How long a broker may take to answer, or to send the next record."""

SMALL_APPETITE = {
    "fetch.message.max.bytes": 100_000,
    "fetch.max.bytes": 1_000_000,
    "queued.min.messages": 2_000,
    "queued.max.messages.kbytes": 4_000,
}
"""Fetched sizes are compressed ones: dead letters of one kind grow tenfold, in a process that should stay small.

A record larger than these still comes: brokers send at least one."""

_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's public name for its own code


class KafkaReader:
    """A consumer that belongs to no group's members.

    Args:
        settings: of the worker: `kafka` and `memory`.
    """

    def __init__(self, settings: Settings) -> None:
        properties = consumer_properties(settings.kafka, settings.memory)
        properties |= SMALL_APPETITE
        try:
            self._consumer = make_consumer(properties)
        except KafkaException as error:
            raise SourceFailed(error.args[0].str()) from None

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def cluster_id(self) -> str:
        """The cluster's own id. Raises `SourceFailed`."""
        with _failing():
            return str(self._consumer.list_topics(timeout=ANSWER_SECONDS).cluster_id)

    def record(self, partition: Partition, offset: int) -> Record | None:
        """The record at an offset; None if there is none, or none any more. Raises `SourceFailed`."""
        with _failing():
            self._consumer.assign([TopicPartition(*partition, offset)])
            message = next(self._until_the_end({partition}), None)
        return message if message is not None and message.offset() == offset else None

    def latest(self, topic: str, limit: int) -> Iterator[Record]:
        """At most `limit` of the newest records, in order within each partition. Raises `SourceFailed`."""
        with _failing():
            partitions = self._partitions(topic)
            share = -(-limit // len(partitions))
            starts = [self._start(partition, share) for partition in partitions]
            self._consumer.assign(starts)
            for count, message in enumerate(self._until_the_end(set(partitions)), start=1):
                yield message
                if count == limit:
                    return

    def bounds(self, topic: str) -> Bounds:
        """Each partition's first offset, and its read_committed end. Raises `SourceFailed`."""
        with _failing():
            partitions = self._partitions(topic)
            firsts = offsets_at(self._consumer, partitions, OFFSET_BEGINNING)
            ends = offsets_at(self._consumer, partitions, OFFSET_END)
        return {number: (firsts[topic, number], ends[topic, number]) for _, number in partitions}

    def walk(self, topic: str, bounds: Bounds, patience: float) -> KafkaWalk:
        """Begin a walk over all records within the bounds. Raises `SourceFailed`."""
        with _failing():
            return KafkaWalk(self._consumer, topic, bounds, patience)

    def _partitions(self, topic: str) -> list[Partition]:
        metadata = self._consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise SourceFailed(f"no such topic, or no right to see it: {topic}")
        return [(topic, number) for number in sorted(metadata.partitions)]

    def _start(self, partition: Partition, share: int) -> TopicPartition:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=ANSWER_SECONDS)
        return TopicPartition(*partition, max(low, high - share))

    def _until_the_end(self, partitions: set[Partition]) -> Iterator[Record]:
        """Records until each partition has ended, or none came for a while."""
        while partitions:
            message = self._consumer.poll(ANSWER_SECONDS)
            if message is None:
                raise SourceFailed("the brokers do not answer")
            error = message.error()
            if error is None:
                yield cast("Record", message)
            elif error.code() == _EOF or message.offset() == OFFSET_INVALID:
                partitions.discard((message.topic() or "", message.partition() or 0))
            else:
                raise SourceFailed(error.str())


@contextmanager
def _failing() -> Iterator[None]:
    """What the client raises, in the words of `ports`."""
    try:
        yield
    except KafkaException as error:
        raise SourceFailed(error.args[0].str()) from None
