"""Where assigned partitions begin: at what the group has committed, else at `kafka.start_from`.

All look-ups are batched: one request for each broker and question, however many partitions there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from worker.pipeline.ports import Start

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.core.records import Partition

LOOK_UP_SECONDS = 10.0
"""How long one question to the brokers may take."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Where partitions begin.

    Attributes:
        found: the beginning of each.
        lost: how many offsets retention deleted between what was committed and the log's start.
    """

    found: dict[Partition, Start]
    lost: dict[Partition, int]


def look_up(consumer: Consumer, partitions: Iterable[Partition], start_from: str | int) -> Starts:
    """Ask the brokers.

    Args:
        consumer: of the group; reads committed records only, so that its ends are read_committed ends.
        partitions: that were assigned.
        start_from: `earliest`, `latest` or epoch milliseconds, for those without a committed offset.

    Raises:
        KafkaException: a broker did not answer, or not yet.
    """
    wanted = list(partitions)
    if not wanted:
        return Starts({}, {})
    committed = committed_offsets(consumer, wanted)
    firsts = offsets_at(consumer, wanted, OFFSET_BEGINNING)
    ends = offsets_at(consumer, wanted, OFFSET_END)
    fresh = _fresh(consumer, [each for each in wanted if each not in committed], start_from, firsts, ends)
    found = {
        each: Start(
            max(committed.get(each, fresh.get(each, 0)), firsts[each]), committed.get(each), ends[each]
        )
        for each in wanted
    }
    lost = {each: firsts[each] - offset for each, offset in committed.items() if offset < firsts[each]}
    return Starts(found, lost)


def offsets_at(consumer: Consumer, partitions: Iterable[Partition], when: int) -> dict[Partition, int]:
    """The first offsets at or after a time.

    Args:
        consumer: whose isolation level decides what the end is.
        partitions: to ask for.
        when: epoch milliseconds, or `OFFSET_BEGINNING` or `OFFSET_END`: Kafka's protocol takes them as times.

    Returns:
        The offsets; `OFFSET_END` where there is no record as late as that.
    """
    asked = [TopicPartition(topic, number, when) for topic, number in partitions]
    return _answers(consumer.offsets_for_times(asked, timeout=LOOK_UP_SECONDS)) if asked else {}


def committed_offsets(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """What the group has committed; partitions without are left out."""
    asked = [TopicPartition(topic, number) for topic, number in partitions]
    answers = _answers(consumer.committed(asked, timeout=LOOK_UP_SECONDS))
    return {partition: offset for partition, offset in answers.items() if offset >= 0}


def _fresh(
    consumer: Consumer,
    partitions: list[Partition],
    start_from: str | int,
    firsts: dict[Partition, int],
    ends: dict[Partition, int],
) -> dict[Partition, int]:
    if isinstance(start_from, str):
        return firsts if start_from == "earliest" else ends
    found = offsets_at(consumer, partitions, start_from)
    return {each: offset if offset >= 0 else ends[each] for each, offset in found.items()}


def _answers(answers: list[TopicPartition]) -> dict[Partition, int]:
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
    return {(answer.topic, answer.partition): answer.offset for answer in answers}
