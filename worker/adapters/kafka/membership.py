"""One member of a consumer group: what it owns, what it may commit, and how a rebalance goes.

Everything here runs in the polling thread but what says otherwise. The client lets one thread in at a time, for as
long as a poll and its callbacks last: a second one that waits for that while a callback waits for it would hang both.
A callback never raises: the client would drop the record that it was about to return.

State that the client has too, and which of the two is asked:

- the assignment: the callbacks write `_owned`, and the client follows them;
- positions: the client's are asked. It knows none between an assignment and the first record: then `_began`;
- the pause of a partition: `_paused` says what it is to be, and the client is *set* to that at each assignment, because
  it keeps a partition's flag across unassign and assign;
- the subscription: `_subscriptions`, because the client's own is gone after `unsubscribe` and in a new client.

What differs all the same shows as a partition that does not move (`stalls.py`), and is set anew.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from worker.adapters.kafka.by_topic import look_up_by_topic
from worker.adapters.kafka.commits import commit
from worker.adapters.kafka.start_offsets import Starts, offsets_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka import KafkaError

    from worker.adapters.kafka.client_errors import Troubles
    from worker.adapters.kafka.commit_notes import CommitNote
    from worker.adapters.kafka.start_offsets import StartOffsets
    from worker.adapters.kafka.teller import Teller
    from worker.core.records import Partition

LOOK_UPS_SECONDS = 30.0
"""How long an assignment may wait for its start offsets; then the member joins anew, and polls meanwhile."""

RETRY_SECONDS = 0.5

REVOKE_SHARE = 0.9
"""The part of `max.poll.interval.ms` within which revoked partitions must be finished."""


class Membership:
    """The consumer's part in its group.

    Attributes:
        joined: whether the group knows this member, with or without partitions. Read by the event loop.
        failure: what a callback could not raise.
    """

    def __init__(
        self,
        consumer: Consumer,
        starts: StartOffsets,
        teller: Teller,
        troubles: Troubles,
        *,
        cooperative: bool,
    ) -> None:
        self.joined = False
        self.failure: Exception | None = None
        self._consumer = consumer
        self._starts = starts
        self._teller = teller
        self._troubles = troubles
        self._cooperative = cooperative
        self._subscriptions: list[str] = []
        self._owned: dict[Partition, object] = {}
        self._began: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._notes: dict[Partition, CommitNote] = {}
        self._moved: set[Partition] = set()
        self._set_aside: set[Partition] = set()
        self._paused = False
        self._rejoining = False
        self._abandoned = False
        self._closing = threading.Event()

    # Taking part

    def subscribe(self, subscriptions: Sequence[str]) -> None:
        """Join the group; the first assignment comes while polling."""
        self._subscriptions = list(subscriptions)
        self._consumer.subscribe(
            self._subscriptions, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def joined_without_partitions(self) -> None:
        """It turned out otherwise than by a callback that the group knows us and has nothing for us."""
        self.joined = True
        self._starts.group_began()
        self._teller.assigned(Starts({}, {}))

    def rejoin_if_needed(self) -> None:
        """Join anew where an assignment could not be taken up."""
        if self._rejoining and not self._closing.is_set():
            self._rejoining = False
            self._consumer.unsubscribe()
            self.subscribe(self._subscriptions)

    def stop_waiting(self) -> None:
        """Let no callback wait for brokers any longer. From any thread."""
        self._closing.set()

    def close(self) -> None:
        """Give everything back and leave."""
        if not self._abandoned:
            self._consumer.close()
        self._owned.clear()
        self.joined = False

    def abandon(self) -> None:
        """The client is in a terminal state: everything is lost, and nothing can be committed."""
        self._abandoned = True
        self.joined = False
        lost = self.owned
        self._give_up(lost)
        self._set_aside.clear()
        if lost:
            self._teller.lost(lost)
        with suppress(KafkaException):
            self._consumer.close()

    # What is ours

    @property
    def is_abandoned(self) -> bool:
        """Whether the client is in a terminal state."""
        return self._abandoned

    @property
    def owned(self) -> list[Partition]:
        """The partitions that are ours. From any thread."""
        return list(self._owned)

    @property
    def is_complete(self) -> bool:
        """Whether all that the group gave is being read. From any thread."""
        return not self._set_aside and not self._abandoned

    def still_ours(self, messages: list[Message]) -> list[Message]:
        """Leave out what came for partitions that a rebalance moved while these were taken.

        Whether those are of the former assignment or the new one cannot be told, so the new one begins again.
        """
        if not self._moved:
            return messages
        moved, self._moved = self._moved, set()
        kept = [each for each in messages if (each.topic(), each.partition()) not in moved]
        again = {each: self._began[each] for each in moved & self._owned.keys()}
        if again and len(kept) < len(messages):
            try:
                self.read_from(again)
            except KafkaException as error:
                self.failure = error
        return kept

    def pause(self, *, paused: bool) -> None:
        """Pause all partitions, those that come later too; or let them all go on where they were."""
        if paused == self._paused or not self._owned:
            self._paused = paused
            return
        self._paused = paused
        if paused:
            self._consumer.pause(_places(self._owned))
        else:
            # A mere resume would not do: pausing drops the word that a position was out of range, too, and the
            # client does not repeat it.
            self._consumer.resume(_places(self._owned))
            self.read_from(self.positions())

    def read_from(self, offsets: Mapping[Partition, int]) -> None:
        """Go on at other offsets. A seek does not do: the client has given up fetching what is out of range."""
        if self._cooperative:
            self._consumer.incremental_unassign(_at(offsets))
            self._consumer.incremental_assign(_at(offsets))
        else:
            offsets = {**self.positions(), **offsets}
            self._consumer.assign(_at(offsets))
        # The client knows no position of what it has just been given, until something of it was read.
        self._began |= offsets
        self._set_pause(_places(self._owned))

    def _set_pause(self, places: list[TopicPartition]) -> None:
        (self._consumer.pause if self._paused else self._consumer.resume)(places)

    def start_again(self, partitions: Iterable[Partition]) -> None:
        """Have the client fetch these anew, from where they are."""
        positions = self.positions()
        self.read_from({each: positions[each] for each in partitions if each in positions})

    def positions(self) -> dict[Partition, int]:
        """The next offset of each partition that is ours, as the client has it."""
        read = self._consumer.position(_places(self._owned))
        return {
            key: place.offset if place.offset >= 0 else self._began[key]
            for place in read
            for key in _keys([place])
        }

    def topic_ids(self) -> dict[str, str]:
        """The ids of the topics whose partitions are ours, as far as they are known."""
        notes = {topic: self._notes[topic, number] for topic, number in self._owned}
        return {topic: note.topic_id for topic, note in notes.items() if note.topic_id is not None}

    def begin_again(self, partitions: Sequence[Partition]) -> None:
        """These are other logs than those that were read (cut, or of a new topic): read them from their beginning.

        Raises:
            KafkaException: a broker did not answer; nothing has changed then.
        """
        starts = self._starts.beginnings(partitions, self._notes)
        self.read_from({each: start.offset for each, start in starts.found.items()})
        self._teller.lost(partitions)
        self._own(starts)
        self._teller.assigned(starts)

    # Commits

    def tokens(self, partitions: Iterable[Partition]) -> dict[Partition, object]:
        """Which assignments a commit is for. From any thread."""
        return {each: token for each in partitions if (token := self._owned.get(each)) is not None}

    def commit(
        self, offsets: Mapping[Partition, int], tokens: Mapping[Partition, object]
    ) -> dict[Partition, KafkaError | None]:
        """Commit for those partitions that are still ours by the same assignment.

        Returns:
            Those, each with why Kafka refuses its commit and no other's; None if it took it.

        Raises:
            KafkaException: the group's coordinator did not take any.
        """
        ours = {each: offsets[each] for each, token in tokens.items() if self._owned.get(each) is token}
        return self._commit(ours) if ours else {}

    def confirm(self) -> None:
        """Have the group's coordinator say that the partitions are still ours: it takes no commit of anyone else.

        Raises:
            KafkaException: it did not say so.
        """
        if self._owned:
            self._commit({each: self._committed[each] for each in self.owned})

    def _commit(self, offsets: Mapping[Partition, int]) -> dict[Partition, KafkaError | None]:
        outcomes = commit(self._consumer, offsets, self._notes)
        self._committed.update({each: offsets[each] for each, error in outcomes.items() if error is None})
        for (topic, _), error in outcomes.items():
            if error is not None:
                self._troubles.noticed(error, topic)
        self._troubles.worked()
        return outcomes

    # Lag

    def lags(self) -> dict[Partition, int]:
        """Offsets between what is committed and the end, as far as it is known. From any thread."""
        return {each: max(0, self._ends.get(each, 0) - self._committed.get(each, 0)) for each in self.owned}

    def refresh_ends(self) -> None:
        """Ask for the ends: paused partitions learn of none."""
        self._ends.update(offsets_at(self._consumer, self.owned, OFFSET_END))

    def note_ends(self) -> None:
        """Note the ends that came with what was fetched. Asks no broker."""
        for partition in self.owned:
            with suppress(KafkaException):  # not fetched from yet
                fetched = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)[1]
                self._ends[partition] = max(fetched, self._ends.get(partition, 0))

    # Rebalances

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            starts = self._look_up(_keys(partitions))
            if starts is None:
                self._rejoining = True
                starts = Starts({}, {})
            if not partitions:
                self._starts.group_began()
            self._take_up(starts)
        except Exception as error:  # noqa: BLE001 - raised by the fetch instead
            self.failure = error

    def _look_up(self, partitions: list[Partition]) -> Starts | None:
        deadline = time.monotonic() + LOOK_UPS_SECONDS
        while time.monotonic() < deadline and not self._closing.is_set():
            try:
                return self._look_up_once(partitions)
            except KafkaException as error:
                self._troubles.noticed(error.args[0])
                self._teller.source_failed(error.args[0].name())
                self._closing.wait(RETRY_SECONDS)
        return None

    def _look_up_once(self, partitions: Sequence[Partition]) -> Starts:
        starts, refused = look_up_by_topic(
            lambda some: self._starts.look_up(some, self._subscriptions), partitions
        )
        self._set_aside |= {each for each in partitions if each[0] in refused}
        self._set_aside -= starts.found.keys()
        for topic, error in refused.items():
            self._troubles.noticed(error, topic)
        return starts

    def take_up_set_aside(self) -> None:
        """Begin to read partitions whose topic was refused when they were assigned, if it no longer is.

        Raises:
            KafkaException: the brokers do not answer.
        """
        if not self._set_aside:
            return
        starts = self._look_up_once(sorted(self._set_aside))
        if starts.found:
            self._own(starts)
            self.read_from({each: start.offset for each, start in starts.found.items()})
            self._troubles.allowed({topic for topic, _ in starts.found})
            self._teller.assigned(starts)

    def _take_up(self, starts: Starts) -> None:
        places = _at({each: start.offset for each, start in starts.found.items()})
        if self._cooperative:
            # All that the group gave must be assigned, so that it can be unassigned again.
            aside = _at(dict.fromkeys(self._set_aside - set(_keys(self._consumer.assignment())), 0))
            self._consumer.incremental_assign(places + aside)
            self._consumer.pause(aside)
        else:
            self._consumer.assign(places)
        self._set_pause(places)
        self._moved |= starts.found.keys()
        self._own(starts)
        if not self._rejoining:
            self.joined = True
            self._troubles.worked()
            self._teller.assigned(starts)

    def _own(self, starts: Starts) -> None:
        self._notes |= starts.notes
        for partition, start in starts.found.items():
            self._owned[partition] = object()
            self._ends[partition] = start.end
            self._began[partition] = self._committed[partition] = start.offset

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        # The client's binding itself unassigns after these two callbacks, in the way of the protocol in use.
        revoked = [each for each in _keys(partitions) if each in self._owned]
        self._set_aside -= set(_keys(partitions))
        try:
            offsets = self._teller.revoked(revoked) if revoked else {}
            self._give_up(revoked)
            if offsets:
                self._commit(offsets)
        except KafkaException as error:
            self._teller.commit_failed(error.args[0].name())
        except Exception as error:  # noqa: BLE001 - raised by the fetch instead
            self.failure = error

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        lost = [each for each in _keys(partitions) if each in self._owned]
        self._set_aside -= set(_keys(partitions))
        try:
            self.joined = False
            self._give_up(lost)
            if lost:
                self._teller.lost(lost)
        except Exception as error:  # noqa: BLE001 - raised by the fetch instead
            self.failure = error

    def _give_up(self, partitions: list[Partition]) -> None:
        self._moved |= set(partitions)
        for partition in partitions:
            del self._owned[partition]


def _keys(partitions: Iterable[TopicPartition]) -> list[Partition]:
    return [(each.topic, each.partition) for each in partitions]


def _at(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]


def _places(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic, number in partitions]
