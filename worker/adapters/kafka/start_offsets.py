"""Where assigned partitions start: at the group's committed offset, else at `kafka.start_from`.

All look-ups are batched: one request per broker and kind of question, however many partitions there are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from worker.adapters.kafka.commit_notes import CommitNote, parse_note
from worker.adapters.kafka.commits import commit
from worker.adapters.kafka.subscriptions import is_subscribed
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.pipeline.ports import Start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from worker.core.records import Partition
    from worker.settings import Kafka


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed for a partition."""

    offset: int
    note: CommitNote


@dataclass(frozen=True, slots=True)
class StartOffsets:
    """Where partitions start.

    Attributes:
        found: the start of each.
        lost: how many offsets retention deleted between what was committed and the log's start.
        notes: the metadata of each partition's commits.
        restarted: partitions whose committed offset belongs to a deleted topic of the same name.
    """

    found: dict[Partition, Start]
    lost: dict[Partition, int]
    notes: dict[Partition, CommitNote] = field(default_factory=dict)
    restarted: list[Partition] = field(default_factory=list)


class StartOffsetLookup:
    """Asks the brokers.

    Args:
        consumer: of the group; reads committed records only, so that its ends are read_committed ends.
        kafka: says where partitions without a committed offset start.
        topic_ids: the current ids of topics.
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

    def group_started(self) -> None:
        """The group has no partitions for this member yet: a topic created later is read from its beginning."""
        if self._latest_at is None and self._start_from == "latest":
            self._latest_at = _now()

    def look_up(self, partitions: Iterable[Partition], subscriptions: Sequence[str]) -> StartOffsets:
        """Where these partitions start.

        Raises:
            KafkaException: a broker did not respond, or is not ready.
        """
        wanted = list(partitions)
        if not wanted:
            return StartOffsets({}, {})
        ids = self._topic_ids({topic for topic, _ in wanted})
        before = committed_offsets(self._consumer, wanted)
        restarted = [each for each in wanted if self._was_recreated(each, before.get(each), ids)]
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
        notes = {each: CommitNote(ids.get(each[0]), self._latest_at_of(before.get(each))) for each in wanted}
        if self._start_from == "latest":
            self._commit_at_once({each: found[each].offset for each in unknown}, notes)
        lost = {each: firsts[each] - offset for each, offset in offsets.items() if offset < firsts[each]}
        self._notes |= notes
        return StartOffsets(found, lost, notes, restarted)

    def _was_recreated(
        self, partition: Partition, committed: Committed | None, ids: Mapping[str, str]
    ) -> bool:
        """Whether the topic was recreated since its offset was committed, or since this member read it."""
        known = committed.note.topic_id if committed else None
        if known is None and partition in self._notes:
            known = self._notes[partition].topic_id
        return known is not None and ids.get(partition[0], known) != known

    def beginnings(
        self, partitions: Sequence[Partition], notes: Mapping[Partition, CommitNote]
    ) -> StartOffsets:
        """The beginnings of logs that replaced the ones that `notes` describe.

        Raises:
            KafkaException: a broker did not respond.
        """
        ids = self._topic_ids({topic for topic, _ in partitions})
        firsts = offsets_at(self._consumer, partitions, OFFSET_BEGINNING)
        ends = offsets_at(self._consumer, partitions, OFFSET_END)
        found = {each: Start(firsts[each], None, ends[each]) for each in partitions}
        renewed = {each: CommitNote(ids.get(each[0]), notes[each].latest_at) for each in partitions}
        self._notes |= renewed
        return StartOffsets(found, {}, renewed, list(partitions))

    def _latest_at_of(self, committed: Committed | None) -> int | None:
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
        """Where partitions without a committed offset start."""
        if self._start_from == "earliest" or not partitions:
            return {each: firsts[each] for each in partitions}
        since = self._start_from
        if isinstance(since, str):
            first_start = self._first_start(subscriptions, before)
            if first_start is None:
                self._latest_at = _now()
                return {each: ends[each] for each in partitions}
            self._latest_at = since = first_start
        found = offsets_at(self._consumer, partitions, since)
        return {each: offset if offset >= 0 else ends[each] for each, offset in found.items()}

    def _first_start(self, subscriptions: Sequence[str], before: Mapping[Partition, Committed]) -> int | None:
        """When the group first started with `latest`. Any of its commits may say so, also those of other members."""
        if self._latest_at is not None:
            return self._latest_at
        if (started_at := _earliest_start(before)) is not None:
            return started_at
        topics = self._consumer.list_topics(timeout=RESPONSE_SECONDS).topics
        subscribed = [
            (topic, number)
            for topic, metadata in topics.items()
            if is_subscribed(topic, subscriptions)
            for number in metadata.partitions
        ]
        return _earliest_start(committed_offsets(self._consumer, subscribed))

    def _commit_at_once(
        self, offsets: Mapping[Partition, int], notes: Mapping[Partition, CommitNote]
    ) -> None:
        """Store the start offsets, so that a member that restarts later does not begin at a later end."""
        for error in commit(self._consumer, offsets, notes).values():
            if error is not None:
                raise KafkaException(error)


def offsets_at(consumer: Consumer, partitions: Iterable[Partition], when: int) -> dict[Partition, int]:
    """The first offset at or after a time, of each partition.

    Args:
        consumer: its isolation level decides what the end is.
        partitions: to ask about.
        when: epoch milliseconds, `OFFSET_BEGINNING` or `OFFSET_END`: Kafka's protocol takes those in place of times.

    Returns:
        The offsets; `OFFSET_END` where no record is that recent.
    """
    asked = [TopicPartition(topic, number, when) for topic, number in partitions]
    responses = _without_errors(consumer.offsets_for_times(asked, timeout=RESPONSE_SECONDS)) if asked else []
    return {(response.topic, response.partition): response.offset for response in responses}


def committed_offsets(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, Committed]:
    """What the group has committed; partitions without a commit are left out."""
    asked = [TopicPartition(topic, number) for topic, number in partitions]
    responses = _without_errors(consumer.committed(asked, timeout=RESPONSE_SECONDS)) if asked else []
    return {
        (response.topic, response.partition): Committed(response.offset, parse_note(response.metadata))
        for response in responses
        if response.offset >= 0
    }


def _earliest_start(committed: Mapping[Partition, Committed]) -> int | None:
    return min(
        (each.note.latest_at for each in committed.values() if each.note.latest_at is not None), default=None
    )


def _without_errors(responses: list[TopicPartition]) -> list[TopicPartition]:
    for response in responses:
        if response.error is not None:
            raise KafkaException(response.error)
    return responses


def _now() -> int:
    return int(time.time() * 1000)
