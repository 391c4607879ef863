"""A walk over a topic from its beginning up to the ends that it had when the walk began, without a group.

What is written meanwhile, by a live worker or by the replay that walks, lies behind those ends and is not read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from worker.adapters.kafka.start_offsets import offsets_at
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from worker.core.records import Record

POLL_SECONDS = 0.1
"""How long `take` waits for its first record."""

Bounds = Mapping[int, tuple[int, int]]
"""Of each partition: the first offset, and the end, which is not read any more."""

_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's public name for its own code
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001 - the same
_FOR_GOOD = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the same
}


@dataclass(slots=True)
class Piece:
    """What one step of a walk brought.

    Attributes:
        records: in order within each partition.
        positions: of each partition that went on: the next offset to read.
    """

    records: list[Record] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)


class KafkaWalk:
    """One walk; blocking.

    Args:
        consumer: that nobody else uses until the walk is over.
        topic: to walk over.
        bounds: from where to where.
        patience: seconds without any sign of a broker after which the walk fails.

    Attributes:
        left: the partitions whose end is not reached yet.
    """

    def __init__(self, consumer: Consumer, topic: str, bounds: Bounds, patience: float) -> None:
        self._consumer = consumer
        self._topic = topic
        self._bounds = bounds
        self._patience = patience
        self._heard_at = time.monotonic()
        self._trouble = "the brokers do not answer"
        self._positions = {number: first for number, (first, _) in bounds.items()}
        self.left = {number for number, (first, end) in bounds.items() if first < end}
        starts = [TopicPartition(topic, number, self._positions[number]) for number in sorted(self.left)]
        consumer.assign(starts)

    @property
    def total(self) -> int:
        """How many offsets there are."""
        return sum(end - first for first, end in self._bounds.values())

    @property
    def walked(self) -> int:
        """How many of them lie behind."""
        return sum(self._positions[number] - first for number, (first, _) in self._bounds.items())

    def take(self, limit: int) -> Piece:
        """At most `limit` further records, as soon as there are any, or nothing after a short while.

        Raises:
            SourceFailed: the topic is gone, may not be read, or no broker has answered for too long.
        """
        piece = Piece()
        try:
            for message in self._messages(limit):
                self._take_in(message, piece)
        except KafkaException as error:
            self._trouble = error.args[0].str()
        if piece.positions:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > self._patience:
            raise SourceFailed(self._trouble)
        return piece

    def skip_the_rest(self) -> dict[int, int]:
        """End the walk here; answers the positions that it would have ended at."""
        self._consumer.unassign()
        self.left.clear()
        return {number: end for number, (_, end) in self._bounds.items()}

    def _messages(self, limit: int) -> list[Message]:
        first = self._consumer.poll(POLL_SECONDS) if self.left else None
        if first is None:
            return []
        return [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]

    def _take_in(self, message: Message, piece: Piece) -> None:
        number, offset, error = message.partition() or 0, message.offset() or 0, message.error()
        if number not in self.left:
            return
        end = self._bounds[number][1]
        if error is None and offset < end:
            piece.records.append(cast("Record", message))
            self._go_to(number, offset + 1, piece)
        elif error is None or error.code() == _EOF:
            self._go_to(number, end, piece)
        elif error.code() in _GONE:
            self._go_to_the_start(number, piece)
        elif error.fatal() or error.code() in _FOR_GOOD:
            raise SourceFailed(error.str())
        else:
            self._trouble = error.str()

    def _go_to(self, number: int, position: int, piece: Piece) -> None:
        self._positions[number] = piece.positions[number] = position
        if position >= self._bounds[number][1]:
            self.left.discard(number)
            self._consumer.incremental_unassign([TopicPartition(self._topic, number)])

    def _go_to_the_start(self, number: int, piece: Piece) -> None:
        """Retention has deleted what comes next."""
        partition = (self._topic, number)
        first = offsets_at(self._consumer, [partition], OFFSET_BEGINNING)[partition]
        self._go_to(number, min(max(first, self._positions[number]), self._bounds[number][1]), piece)
        if number in self.left:
            # A seek does not do: the client has given up fetching what is out of range.
            place = [TopicPartition(self._topic, number, self._positions[number])]
            self._consumer.incremental_unassign(place)
            self._consumer.incremental_assign(place)
