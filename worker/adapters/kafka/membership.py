"""One member of a consumer group: what it owns, what it may commit, and how a rebalance goes.

Everything here runs in the polling thread but what says otherwise. The client lets one thread in at a time, for as
long as a poll and its callbacks last: a second one that waits for that while a callback waits for it would hang both.
A callback never raises: the client would drop the record that it was about to return.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from worker.adapters.kafka.start_offsets import Starts, look_up, offsets_at
from worker.pipeline.ports import Start

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence

    from worker.adapters.kafka.client_errors import Troubles
    from worker.core.records import Partition
    from worker.pipeline.ports import Assignments
    from worker.settings import Kafka
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

LOOK_UPS_SECONDS = 30.0
"""How long an assignment may wait for its start offsets; then the member joins anew, and polls meanwhile."""

RETRY_SECONDS = 0.5

REVOKE_SHARE = 0.9
"""The part of `max.poll.interval.ms` within which revoked partitions must be finished."""


class Teller:
    """Tells the event loop from the polling thread, and waits for its answer.

    Args:
        loop: where the assignments live.
        assignments: who is told.
        telemetry: told as well.
        patience: seconds that an answer may take.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        assignments: Assignments,
        telemetry: Telemetry,
        patience: float,
    ) -> None:
        self._loop = loop
        self._assignments = assignments
        self._telemetry = telemetry
        self._patience = patience

    def assigned(self, starts: Starts) -> None:
        """These are ours."""
        self._ask(self._assigned(starts))

    def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """These go to another member: what is to be committed? Nothing, if there is no answer in time."""
        try:
            return self._ask(self._revoked(partitions))
        except TimeoutError:
            self.lost(partitions)
            return {}

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another's already."""
        self._ask(self._lost(partitions))

    def source_failed(self, why: str) -> None:
        """The client reported an error."""
        self._loop.call_soon_threadsafe(self._telemetry.source_failed, why)

    def commit_failed(self, why: str) -> None:
        """A commit at a revoke was not taken: the next owner delivers again."""
        self._loop.call_soon_threadsafe(self._telemetry.commit_failed, why)

    def records_lost(self, partition: Partition, n: int) -> None:
        """Retention deleted what had not been read."""
        self._loop.call_soon_threadsafe(self._telemetry.records_lost, *partition, n)

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(self._patience)
        finally:
            future.cancel()

    async def _assigned(self, starts: Starts) -> None:
        for (topic, number), n in starts.lost.items():
            self._telemetry.records_lost(topic, number, n)
        self._telemetry.partitions_assigned(list(starts.found))
        self._assignments.assigned(starts.found)

    async def _revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self._telemetry.partitions_revoked(partitions)
        return await self._assignments.revoked(partitions)

    async def _lost(self, partitions: Sequence[Partition]) -> None:
        self._telemetry.partitions_lost(partitions)
        self._assignments.lost(partitions)


class Membership:
    """The consumer's part in its group.

    Attributes:
        joined: whether the group knows this member, with or without partitions. Read by the event loop.
        failure: what a callback could not raise.
    """

    def __init__(
        self, consumer: Consumer, kafka: Kafka, teller: Teller, troubles: Troubles, *, cooperative: bool
    ) -> None:
        self.joined = False
        self.failure: Exception | None = None
        self._consumer = consumer
        self._kafka = kafka
        self._teller = teller
        self._troubles = troubles
        self._cooperative = cooperative
        self._subscriptions: list[str] = []
        self._owned: dict[Partition, object] = {}
        self._began: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._moved: set[Partition] = set()
        self._paused = False
        self._rejoining = False
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
        self._consumer.close()
        self._owned.clear()
        self.joined = False

    # What is ours

    @property
    def owned(self) -> list[Partition]:
        """The partitions that are ours. From any thread."""
        return list(self._owned)

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
            self.read_from(self._positions())

    def read_from(self, offsets: Mapping[Partition, int]) -> None:
        """Go on at other offsets. A seek does not do: the client has given up fetching what is out of range."""
        if self._cooperative:
            self._consumer.incremental_unassign(_at(offsets))
            self._consumer.incremental_assign(_at(offsets))
        else:
            offsets = {**self._positions(), **offsets}
            self._consumer.assign(_at(offsets))
        # The client knows no position of what it has just been given, until something of it was read.
        self._began |= offsets
        if self._paused:
            self._consumer.pause(_places(self._owned))

    def _positions(self) -> dict[Partition, int]:
        read = self._consumer.position(_places(self._owned))
        return {
            key: place.offset if place.offset >= 0 else self._began[key]
            for place in read
            for key in _keys([place])
        }

    def begin_again(self, partition: Partition, first: int) -> None:
        """The log ends before what we had read: it was cut or made anew, and is read from its beginning."""
        end = offsets_at(self._consumer, [partition], OFFSET_END)[partition]
        self._teller.lost([partition])
        self._teller.assigned(Starts({partition: Start(first, None, end)}, {}))

    # Commits

    def tokens(self, partitions: Iterable[Partition]) -> dict[Partition, object]:
        """Which assignments a commit is for. From any thread."""
        return {each: token for each in partitions if (token := self._owned.get(each)) is not None}

    def commit(self, offsets: Mapping[Partition, int], tokens: Mapping[Partition, object]) -> int:
        """Commit for those partitions that are still ours by the same assignment, and answer how many.

        Raises:
            KafkaException: the group's coordinator did not take it, or not all of it.
        """
        ours = {each: offsets[each] for each, token in tokens.items() if self._owned.get(each) is token}
        if ours:
            self._commit(ours)
        return len(ours)

    def _commit(self, offsets: Mapping[Partition, int]) -> None:
        for answer in self._consumer.commit(offsets=_at(offsets), asynchronous=False):
            if answer.error is not None:
                raise KafkaException(answer.error)
        self._committed.update(offsets)
        self._troubles.worked()

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
            self._take_up(starts)
        except Exception as error:  # noqa: BLE001 - raised by the fetch instead
            self.failure = error

    def _look_up(self, partitions: list[Partition]) -> Starts | None:
        begin = self._kafka.start_timestamp
        deadline = time.monotonic() + LOOK_UPS_SECONDS
        while time.monotonic() < deadline and not self._closing.is_set():
            try:
                return look_up(self._consumer, partitions, self._kafka.start_from if begin is None else begin)
            except KafkaException as error:
                self._troubles.noticed(error.args[0])
                self._teller.source_failed(error.args[0].name())
                self._closing.wait(RETRY_SECONDS)
        return None

    def _take_up(self, starts: Starts) -> None:
        places = _at({each: start.offset for each, start in starts.found.items()})
        (self._consumer.incremental_assign if self._cooperative else self._consumer.assign)(places)
        if self._paused:
            self._consumer.pause(places)
        self._moved |= starts.found.keys()
        for partition, start in starts.found.items():
            self._owned[partition] = object()
            self._ends[partition] = start.end
            self._began[partition] = self._committed[partition] = start.offset
        if not self._rejoining:
            self.joined = True
            self._troubles.worked()
            self._teller.assigned(starts)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        # The client's binding itself unassigns after these two callbacks, in the way of the protocol in use.
        revoked = [each for each in _keys(partitions) if each in self._owned]
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
