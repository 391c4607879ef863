"""A scan of a topic from its beginning up to the ends that it had when the scan began, without a group.

Records that are written meanwhile, by a worker or by the replay that scans, are beyond those ends and are not read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from worker.adapters.kafka.error_codes import OUT_OF_RANGE, PARTITION_EOF
from worker.adapters.kafka.start_offsets import offsets_at
from worker.adapters.kafka.timeouts import POLL_SECONDS
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from worker.core.records import Record

Bounds = Mapping[int, tuple[int, int]]
"""Each partition's first offset, and its end (exclusive)."""

_PERMANENT = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the client's public name for its own code
}
"""Errors that end a scan at once. All others may pass, and end it only when no broker responds for too long."""


@dataclass(slots=True)
class Piece:
    """What one step of a scan returned.

    Attributes:
        records: in order within each partition.
        positions: the next offset of each partition that advanced.
    """

    records: list[Record] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)


class KafkaScan:
    """One scan; blocking.

    Args:
        consumer: used by nothing else until the scan is over.
        topic: to scan.
        bounds: from where to where.
        timeout: seconds without any response of a broker after which the scan fails.

    Attributes:
        left: the partitions whose end has not been reached.
    """

    def __init__(self, consumer: Consumer, topic: str, bounds: Bounds, timeout: float) -> None:
        self._consumer = consumer
        self._topic = topic
        self._bounds = bounds
        self._timeout = timeout
        self._responded_at = time.monotonic()
        self._last_error = "the brokers do not respond"
        self._positions = {number: first for number, (first, _) in bounds.items()}
        self.left = {number for number, (first, end) in bounds.items() if first < end}
        starts = [TopicPartition(topic, number, self._positions[number]) for number in sorted(self.left)]
        consumer.assign(starts)

    @property
    def total(self) -> int:
        """How many offsets there are."""
        return sum(end - first for first, end in self._bounds.values())

    @property
    def scanned(self) -> int:
        """How many of them are behind the current positions."""
        return sum(self._positions[number] - first for number, (first, _) in self._bounds.items())

    def take(self, limit: int) -> Piece:
        """At most `limit` further records, as soon as there are any, or nothing after a short while.

        Raises:
            SourceFailed: the topic is gone or forbidden, or no broker has responded for too long.
        """
        piece = Piece()
        try:
            for message in self._messages(limit):
                self._handle(message, piece)
        except KafkaException as error:
            self._last_error = error.args[0].str()
        if piece.positions:
            self._responded_at = time.monotonic()
        elif time.monotonic() - self._responded_at > self._timeout:
            raise SourceFailed(self._last_error)
        return piece

    def skip_the_rest(self) -> dict[int, int]:
        """End the scan here; returns the positions at which it would have ended."""
        self._consumer.unassign()
        self.left.clear()
        return {number: end for number, (_, end) in self._bounds.items()}

    def _messages(self, limit: int) -> list[Message]:
        first = self._consumer.poll(POLL_SECONDS) if self.left else None
        if first is None:
            return []
        return [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]

    def _handle(self, message: Message, piece: Piece) -> None:
        number, offset, error = message.partition() or 0, message.offset() or 0, message.error()
        if number not in self.left:
            return
        end = self._bounds[number][1]
        if error is None and offset < end:
            piece.records.append(cast("Record", message))
            self._advance(number, offset + 1, piece)
        elif error is None or error.code() == PARTITION_EOF:
            self._advance(number, end, piece)
        elif error.code() in OUT_OF_RANGE:
            self._skip_deleted(number, piece)
        elif error.fatal() or error.code() in _PERMANENT:
            raise SourceFailed(error.str())
        else:
            self._last_error = error.str()

    def _advance(self, number: int, position: int, piece: Piece) -> None:
        self._positions[number] = piece.positions[number] = position
        if position >= self._bounds[number][1]:
            self.left.discard(number)
            self._consumer.incremental_unassign([TopicPartition(self._topic, number)])

    def _skip_deleted(self, number: int, piece: Piece) -> None:
        """Retention has deleted the next records."""
        partition = (self._topic, number)
        first = offsets_at(self._consumer, [partition], OFFSET_BEGINNING)[partition]
        self._advance(number, min(max(first, self._positions[number]), self._bounds[number][1]), piece)
        if number in self.left:
            # `seek` does not work here: the client stops fetching an out-of-range position.
            place = [TopicPartition(self._topic, number, self._positions[number])]
            self._consumer.incremental_unassign(place)
            self._consumer.incremental_assign(place)
