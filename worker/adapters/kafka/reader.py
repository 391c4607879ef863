"""Reads some records of a topic without joining a group. Commits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    KafkaException,
    TopicPartition,
)

from worker.adapters.kafka.client_errors import NO_SUCH_TOPIC
from worker.adapters.kafka.clients import make_consumer
from worker.adapters.kafka.error_codes import PARTITION_EOF
from worker.adapters.kafka.own_words import NOT_CONNECTED, LastFailure
from worker.adapters.kafka.properties import reader_properties
from worker.adapters.kafka.scan import KafkaScan
from worker.adapters.kafka.start_offsets import committed_offsets, offsets_at
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.core.record_reading import record_millis
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.adapters.kafka.scan import Bounds
    from worker.core.records import Partition, Record
    from worker.settings import Settings


METADATA_SECONDS = (1.0, 2.0, RESPONSE_SECONDS - 3.0)
"""How long requests for metadata may take, one after the other. Between them the client's errors are looked at."""


class KafkaReader:
    """A consumer that joins no group.

    Args:
        settings: of the worker: `kafka` and `memory`.
    """

    def __init__(self, settings: Settings) -> None:
        if missing := settings.kafka.missing_files:
            raise SourceFailed(str(missing[0]))
        self._failure = LastFailure()
        properties = reader_properties(settings.kafka, settings.memory)
        try:
            self._consumer = make_consumer(
                properties, on_line=self._failure.on_line, error_cb=self._failure.on_error
            )
        except KafkaException as error:
            raise SourceFailed(error.args[0].str()) from None

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def cluster_id(self) -> str:
        """The cluster's own id. Raises `SourceFailed`."""
        with self._failing():
            return str(self._metadata().cluster_id)

    def record(self, partition: Partition, offset: int) -> Record | None:
        """The record at an offset; None if there is none. Raises `SourceFailed`."""
        with self._failing():
            self._consumer.assign([TopicPartition(*partition, offset)])
            message = next(self._until_the_end({partition}), None)
        return message if message is not None and message.offset() == offset else None

    def latest(self, topic: str, limit: int) -> list[Record]:
        """The newest `limit` records, or all if there are fewer, in order within each partition.

        Raises:
            SourceFailed: no such topic, or the brokers do not respond.
        """
        bounds = {number: span for number, span in self.bounds(topic).items() if span[0] < span[1]}
        read: dict[int, list[Record]] = {number: [] for number in bounds}
        starts = {number: end for number, (_, end) in bounds.items()}
        missing = limit
        while missing > 0 and any(starts[number] > first for number, (first, _) in bounds.items()):
            wanted = share_out(
                missing, {number: starts[number] - first for number, (first, _) in bounds.items()}
            )
            for number, count in wanted.items():
                if count:
                    part = self._between(topic, number, starts[number] - count, starts[number])
                    read[number] = part + read[number]
                    starts[number] -= count
            # Transaction markers and compaction leave offsets without records: then more offsets are needed.
            missing = limit - sum(map(len, read.values()))
        return [record for number in sorted(read) for record in read[number]]

    def _between(self, topic: str, number: int, first: int, end: int) -> list[Record]:
        """The records of a partition from one offset up to another."""
        records: list[Record] = []
        with self._failing():
            self._consumer.assign([TopicPartition(topic, number, first)])
            for record in self._until_the_end({(topic, number)}):
                if record.offset() >= end:
                    break
                records.append(record)
                if record.offset() == end - 1:
                    break
        return records

    def bounds(self, topic: str) -> Bounds:
        """Each partition's first offset, and its read_committed end. Raises `SourceFailed`."""
        with self._failing():
            partitions = self._partitions(topic)
            firsts = offsets_at(self._consumer, partitions, OFFSET_BEGINNING)
            ends = offsets_at(self._consumer, partitions, OFFSET_END)
        return {number: (firsts[topic, number], ends[topic, number]) for _, number in partitions}

    def bounds_since(self, topic: str, millis: int) -> Bounds:
        """As `bounds`, but each partition begins at its first record at or after this time. Raises `SourceFailed`."""
        bounds = self.bounds(topic)
        with self._failing():
            starts = offsets_at(self._consumer, [(topic, number) for number in bounds], millis)
        # Where no record is that recent the client returns a negative number.
        found = {number: starts[topic, number] for number in bounds}
        older = [number for number, (first, end) in bounds.items() if found[number] < 0 and first < end]
        if older and self._is_recent((topic, older[0]), bounds[older[0]][1] - 1, millis):
            return bounds  # the brokers do not search by time, such as the demo's
        return {
            number: (max(first, found[number]) if found[number] >= 0 else end, end)
            for number, (first, end) in bounds.items()
        }

    def _is_recent(self, partition: Partition, offset: int, millis: int) -> bool:
        """Whether the record at an offset is at or after this time."""
        record = self.record(partition, offset)
        return record is not None and (record_millis(record) or 0) >= millis

    def topics(self) -> list[str]:
        """All topics that exist and may be read. Raises `SourceFailed`."""
        with self._failing():
            found = self._metadata().topics
        return sorted(name for name, metadata in found.items() if metadata.error is None)

    def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The group's committed offsets; a partition without one is left out. Raises `SourceFailed`."""
        with self._failing():
            found = committed_offsets(self._consumer, partitions)
        return {partition: each.offset for partition, each in found.items()}

    def scan(self, topic: str, bounds: Bounds, timeout: float) -> KafkaScan:
        """Begin a scan of all records within the bounds. Raises `SourceFailed`."""
        with self._failing():
            return KafkaScan(self._consumer, topic, bounds, timeout)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise the client's errors as `SourceFailed`, with its own words about the connection if there is none."""
        try:
            yield
        except KafkaException as error:
            is_about_connection = error.args[0].code() in NOT_CONNECTED
            words = self._failure.words if is_about_connection else None
            raise SourceFailed(words or error.args[0].str()) from None

    def _metadata(self, topic: str | None = None) -> ClusterMetadata:
        """The metadata of one topic, or of all. A refused login ends the wait at once.

        Raises:
            KafkaException: no broker has responded.
        """
        *first, last = METADATA_SECONDS
        for seconds in first:
            try:
                return self._list(topic, seconds)
            except KafkaException:
                self._consumer.poll(0)  # hands over errors and lines of the log; nothing is assigned yet
                if self._failure.is_refused:
                    raise
        try:
            return self._list(topic, last)
        finally:
            if self._failure.words is None:
                self._consumer.poll(0)

    def _list(self, topic: str | None, seconds: float) -> ClusterMetadata:
        metadata: ClusterMetadata = (
            self._consumer.list_topics(timeout=seconds)
            if topic is None
            else self._consumer.list_topics(topic, timeout=seconds)
        )
        return metadata

    def _partitions(self, topic: str) -> list[Partition]:
        metadata = self._metadata(topic).topics[topic]
        if metadata.error is not None or not metadata.partitions:
            raise SourceFailed(f"{NO_SUCH_TOPIC}: {topic}")
        return [(topic, number) for number in sorted(metadata.partitions)]

    def _until_the_end(self, partitions: set[Partition]) -> Iterator[Record]:
        """Records until the end of each partition. Raises `SourceFailed` if the next one does not come in time."""
        while partitions:
            message = self._consumer.poll(RESPONSE_SECONDS)
            if message is None:
                raise SourceFailed(self._failure.words or "the brokers do not respond")
            error = message.error()
            if error is None:
                yield cast("Record", message)
            elif error.code() == PARTITION_EOF or message.offset() == OFFSET_INVALID:
                partitions.discard((message.topic() or "", message.partition() or 0))
            else:
                raise SourceFailed(error.str())


def share_out(limit: int, available: Mapping[int, int]) -> dict[int, int]:
    """How much to take of each, evenly, at most `limit` in total; one that has less leaves its rest to the others."""
    shares = dict.fromkeys(available, 0)
    left = limit
    for place, number in enumerate(sorted(available, key=lambda each: available[each])):
        shares[number] = min(available[number], -(-left // (len(available) - place)))
        left -= shares[number]
    return shares
