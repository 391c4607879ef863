"""The partitions that this member owns: their positions, pauses, ends and commits.

Everything here runs in the polling thread unless it says otherwise.

The client keeps some of this state too. Which copy is authoritative:

- ownership: the rebalance callbacks write `_tokens`, and the client follows them;
- positions: the client's. Between an assignment and the first record it has none; then `_first_offsets` counts;
- pauses: `paused` says what they should be, and the client is *set* to that at each assignment, because it keeps a
  partition's pause flag across unassign and assign.

If the two copies disagree nevertheless, a partition stops advancing; `stalls.py` detects that and resets the client's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from worker.adapters.kafka.commits import commit
from worker.adapters.kafka.start_offsets import offsets_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import KafkaError

    from worker.adapters.kafka.commit_notes import CommitNote
    from worker.adapters.kafka.start_offsets import StartOffsets
    from worker.core.records import Partition


class Assignment:
    """What this member owns.

    Args:
        consumer: of the group.
        cooperative: whether partitions are assigned one by one; otherwise always all of them together.

    Attributes:
        paused: whether all partitions are to be paused, including ones that are assigned later.
    """

    def __init__(self, consumer: Consumer, *, cooperative: bool) -> None:
        self.paused = False
        self._consumer = consumer
        self._cooperative = cooperative
        # A partition that is revoked and assigned again gets another token, which distinguishes commits for the first
        # assignment from those for the second.
        self._tokens: dict[Partition, object] = {}
        self._first_offsets: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._notes: dict[Partition, CommitNote] = {}
        self._moved: set[Partition] = set()

    # Ownership

    @property
    def partitions(self) -> list[Partition]:
        """The owned partitions. Safe to call from any thread."""
        return list(self._tokens)

    def tokens(self, partitions: Iterable[Partition]) -> dict[Partition, object]:
        """Identifies the current assignment of each of these that is owned. Safe to call from any thread."""
        return {each: token for each in partitions if (token := self._tokens.get(each)) is not None}

    def take_up(self, starts: StartOffsets, deferred: set[Partition]) -> None:
        """Have the client fetch newly assigned partitions, and own them.

        Args:
            starts: where to begin.
            deferred: assigned by the group too, but not to be read yet.
        """
        places = to_places({each: start.offset for each, start in starts.found.items()})
        if self._cooperative:
            # The client must have everything that the group assigned, or it cannot unassign it later.
            unread = to_places(dict.fromkeys(deferred - set(to_partitions(self._consumer.assignment())), 0))
            self._consumer.incremental_assign(places + unread)
            self._consumer.pause(unread)
        else:
            self._consumer.assign(places)
        self._set_pause(places)
        self._moved |= starts.found.keys()
        self.own(starts)

    def own(self, starts: StartOffsets) -> None:
        """Begin an assignment of these partitions."""
        self._notes |= starts.notes
        for partition, start in starts.found.items():
            self._tokens[partition] = object()
            self._ends[partition] = start.end
            self._first_offsets[partition] = self._committed[partition] = start.offset

    def give_up(self, partitions: Iterable[Partition]) -> None:
        """End the assignment of these owned partitions."""
        for partition in partitions:
            self._moved.add(partition)
            del self._tokens[partition]

    def clear(self) -> None:
        """End all assignments: the client is closed."""
        self._tokens.clear()

    def without_moved(self, messages: list[Message]) -> list[Message]:
        """Drop messages of partitions that a rebalance moved while these messages were being taken.

        They may belong to the previous assignment or to the new one, which cannot be told apart. So they are dropped,
        and the new assignment starts again from its beginning.

        Raises:
            KafkaException: the client refused to start again.
        """
        if not self._moved:
            return messages
        moved, self._moved = self._moved, set()
        kept = [each for each in messages if (each.topic(), each.partition()) not in moved]
        again = {each: self._first_offsets[each] for each in moved & self._tokens.keys()}
        if again and len(kept) < len(messages):
            self.read_from(again)
        return kept

    # Reading

    def pause(self, *, paused: bool) -> None:
        """Pause all partitions, including ones that are assigned later, or resume all."""
        if paused == self.paused or not self._tokens:
            self.paused = paused
            return
        self.paused = paused
        if paused:
            self._consumer.pause(_without_offsets(self._tokens))
        else:
            # `resume` alone is not enough: pausing also drops the event that a position is out of range, and the
            # client does not repeat it.
            self._consumer.resume(_without_offsets(self._tokens))
            self.read_from(self.positions())

    def read_from(self, offsets: Mapping[Partition, int]) -> None:
        """Continue at other offsets. `seek` does not work here: the client stops fetching an out-of-range position."""
        if self._cooperative:
            self._consumer.incremental_unassign(to_places(offsets))
            self._consumer.incremental_assign(to_places(offsets))
        else:
            offsets = {**self.positions(), **offsets}
            self._consumer.assign(to_places(offsets))
        self._first_offsets |= offsets
        self._set_pause(_without_offsets(self._tokens))

    def restart_fetching(self, partitions: Iterable[Partition]) -> None:
        """Have the client fetch these again from their current positions."""
        positions = self.positions()
        self.read_from({each: positions[each] for each in partitions if each in positions})

    def positions(self) -> dict[Partition, int]:
        """The next offset of each owned partition, as the client has it."""
        places = self._consumer.position(_without_offsets(self._tokens))
        return {
            key: place.offset if place.offset >= 0 else self._first_offsets[key]
            for place in places
            for key in to_partitions([place])
        }

    def _set_pause(self, places: list[TopicPartition]) -> None:
        (self._consumer.pause if self.paused else self._consumer.resume)(places)

    # Commits

    @property
    def notes(self) -> Mapping[Partition, CommitNote]:
        """What each partition's commits carry as metadata."""
        return self._notes

    def topic_ids(self) -> dict[str, str]:
        """The ids of the owned partitions' topics, where they are known."""
        notes = {topic: self._notes[topic, number] for topic, number in self._tokens}
        return {topic: note.topic_id for topic, note in notes.items() if note.topic_id is not None}

    def commit(self, offsets: Mapping[Partition, int]) -> dict[Partition, KafkaError | None]:
        """Commit these offsets; see `commits.commit`."""
        outcomes = commit(self._consumer, offsets, self._notes)
        self._committed.update({each: offsets[each] for each, error in outcomes.items() if error is None})
        return outcomes

    def committed(self) -> dict[Partition, int]:
        """What is committed of each owned partition, or where it started if nothing is."""
        return {each: self._committed[each] for each in self.partitions}

    # Lag

    def lags(self) -> dict[Partition, int]:
        """Offsets between the commit and the end, as far as it is known. Safe to call from any thread."""
        return {
            each: max(0, self._ends.get(each, 0) - self._committed.get(each, 0)) for each in self.partitions
        }

    def request_ends(self) -> None:
        """Ask the brokers for the ends: a paused partition learns of none. Raises KafkaException."""
        self._ends.update(offsets_at(self._consumer, self.partitions, OFFSET_END))

    def read_cached_ends(self) -> None:
        """Record the end offsets that came with fetched records. Asks no broker."""
        for partition in self.partitions:
            with suppress(KafkaException):  # nothing fetched yet
                end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)[1]
                self._ends[partition] = max(end, self._ends.get(partition, 0))


def to_partitions(places: Iterable[TopicPartition]) -> list[Partition]:
    """The client's type as the worker's."""
    return [(each.topic, each.partition) for each in places]


def to_places(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    """The worker's type as the client's."""
    return [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]


def _without_offsets(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic, number in partitions]
