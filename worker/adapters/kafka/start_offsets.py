"""Where assigned partitions begin: at what the group has committed, else at `kafka.start_from`.

All look-ups are batched: one request for each broker and question, however many partitions there are.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from worker.adapters.kafka.commit_notes import CommitNote, parse_note
from worker.adapters.kafka.commits import commit
from worker.pipeline.ports import Start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from worker.core.records import Partition
    from worker.settings import Kafka

LOOK_UP_SECONDS = 10.0
"""How long one question to the brokers may take."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed for a partition."""

    offset: int
    note: CommitNote


@dataclass(frozen=True, slots=True)
class Starts:
    """Where partitions begin.

    Attributes:
        found: the beginning of each.
        lost: how many offsets retention deleted between what was committed and the log's start.
        notes: what each partition's commits are to carry.
        restarted: partitions whose committed offset is of a topic that was deleted since, under the same name.
    """

    found: dict[Partition, Start]
    lost: dict[Partition, int]
    notes: dict[Partition, CommitNote] = field(default_factory=dict)
    restarted: list[Partition] = field(default_factory=list)


class StartOffsets:
    """Asks the brokers.

    Args:
        consumer: of the group; reads committed records only, so that its ends are read_committed ends.
        kafka: says where to start in partitions without a committed offset.
        topic_ids: the ids of topics at this moment.
    """

    def __init__(
        self,
        consumer: Consumer,
        kafka: Kafka,
        topic_ids: Callable[[Iterable[str]], dict[str, str]],
    ) -> None:
        self._consumer = consumer
        begin = kafka.start_timestamp
        self._start_from: str | int = kafka.start_from if begin is None else begin
        self._topic_ids = topic_ids
        self._latest_at: int | None = None
        self._notes: dict[Partition, CommitNote] = {}

    def group_began(self) -> None:
        """The group has nothing for this member yet: a topic that is created later is read from its beginning."""
        if self._latest_at is None and self._start_from == "latest":
            self._latest_at = _now()

    def look_up(self, partitions: Iterable[Partition], subscriptions: Sequence[str]) -> Starts:
        """Where these partitions begin.

        Raises:
            KafkaException: a broker did not answer, or not yet.
        """
        wanted = list(partitions)
        if not wanted:
            return Starts({}, {})
        ids = self._topic_ids({topic for topic, _ in wanted})
        before = committed_offsets(self._consumer, wanted)
        restarted = [each for each in wanted if self._is_another_log(each, before.get(each), ids)]
        valid = {each: committed for each, committed in before.items() if each not in restarted}
        firsts = offsets_at(self._consumer, wanted, OFFSET_BEGINNING)
        ends = offsets_at(self._consumer, wanted, OFFSET_END)
        offsets = {each: committed.offset for each, committed in valid.items()}
        fresh = {each: firsts[each] for each in restarted}
        unknown = [each for each in wanted if each not in before and each not in restarted]
        fresh |= self._fresh(unknown, subscriptions, before, firsts, ends)
        found = {
            each: Start(
                max(offsets.get(each, fresh.get(each, 0)), firsts[each]), offsets.get(each), ends[each]
            )
            for each in wanted
        }
        notes = {each: CommitNote(ids.get(each[0]), self._moment(before.get(each))) for each in wanted}
        if self._start_from == "latest":
            self._commit_at_once({each: found[each].offset for each in unknown}, notes)
        lost = {each: firsts[each] - offset for each, offset in offsets.items() if offset < firsts[each]}
        self._notes |= notes
        return Starts(found, lost, notes, restarted)

    def _is_another_log(
        self, partition: Partition, committed: Committed | None, ids: Mapping[str, str]
    ) -> bool:
        """Whether the topic was created anew since its offset was committed, or since this member read it."""
        known = committed.note.topic_id if committed else None
        if known is None and partition in self._notes:
            known = self._notes[partition].topic_id
        return known is not None and ids.get(partition[0], known) != known

    def beginnings(self, partitions: Sequence[Partition], notes: Mapping[Partition, CommitNote]) -> Starts:
        """The beginnings of logs that are not those that `notes` are of.

        Raises:
            KafkaException: a broker did not answer.
        """
        ids = self._topic_ids({topic for topic, _ in partitions})
        firsts = offsets_at(self._consumer, partitions, OFFSET_BEGINNING)
        ends = offsets_at(self._consumer, partitions, OFFSET_END)
        found = {each: Start(firsts[each], None, ends[each]) for each in partitions}
        renewed = {each: CommitNote(ids.get(each[0]), notes[each].latest_at) for each in partitions}
        self._notes |= renewed
        return Starts(found, {}, renewed, list(partitions))

    def _moment(self, committed: Committed | None) -> int | None:
        own = committed.note.latest_at if committed else None
        return self._latest_at if own is None else own

    def _fresh(
        self,
        partitions: list[Partition],
        subscriptions: Sequence[str],
        before: Mapping[Partition, Committed],
        firsts: dict[Partition, int],
        ends: dict[Partition, int],
    ) -> dict[Partition, int]:
        """Where partitions without a commit begin."""
        if self._start_from == "earliest" or not partitions:
            return {each: firsts[each] for each in partitions}
        since = self._start_from
        if isinstance(since, str):
            moment = self._group_moment(subscriptions, before)
            if moment is None:
                self._latest_at = _now()
                return {each: ends[each] for each in partitions}
            self._latest_at = since = moment
        found = offsets_at(self._consumer, partitions, since)
        return {each: offset if offset >= 0 else ends[each] for each, offset in found.items()}

    def _group_moment(
        self, subscriptions: Sequence[str], before: Mapping[Partition, Committed]
    ) -> int | None:
        """When the group first started with `latest`: any of its commits may say so, also for partitions of others."""
        if self._latest_at is not None:
            return self._latest_at
        if (moment := _earliest_moment(before)) is not None:
            return moment
        topics = self._consumer.list_topics(timeout=LOOK_UP_SECONDS).topics
        subscribed = [
            (topic, number)
            for topic, metadata in topics.items()
            if any(
                re.match(f"(?:{each})$", topic) if each.startswith("^") else each == topic
                for each in subscriptions
            )
            for number in metadata.partitions
        ]
        return _earliest_moment(committed_offsets(self._consumer, subscribed))

    def _commit_at_once(
        self, offsets: Mapping[Partition, int], notes: Mapping[Partition, CommitNote]
    ) -> None:
        """Keep the beginning, so that a member that is started again later does not take a later end."""
        for error in commit(self._consumer, offsets, notes).values():
            if error is not None:
                raise KafkaException(error)


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
    answers = _without_errors(consumer.offsets_for_times(asked, timeout=LOOK_UP_SECONDS)) if asked else []
    return {(answer.topic, answer.partition): answer.offset for answer in answers}


def committed_offsets(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
    """What the group has committed; partitions without are left out."""
    asked = [TopicPartition(topic, number) for topic, number in partitions]
    answers = _without_errors(consumer.committed(asked, timeout=LOOK_UP_SECONDS)) if asked else []
    return {
        (answer.topic, answer.partition): Committed(answer.offset, parse_note(answer.metadata))
        for answer in answers
        if answer.offset >= 0
    }


def _earliest_moment(committed: Mapping[Partition, Committed]) -> int | None:
    return min(
        (each.note.latest_at for each in committed.values() if each.note.latest_at is not None), default=None
    )


def _without_errors(answers: list[TopicPartition]) -> list[TopicPartition]:
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
    return answers


def _now() -> int:
    return int(time.time() * 1000)
