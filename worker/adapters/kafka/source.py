"""Kafka as the pipeline's source: a plain consumer, whose every blocking call runs in one thread of its own.

The thread polls only while a fetch is under way, so that is when rebalances happen: the pipeline is never
told of one while it takes records in. Commits wait behind a poll: the client lets nobody in before it has ended.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException

from worker.adapters.kafka.client_errors import Troubles, missing_topics
from worker.adapters.kafka.clients import make_consumer
from worker.adapters.kafka.fatal_errors import can_heal, describe, is_fatal, renewal_backoff
from worker.adapters.kafka.membership import REVOKE_SHARE, Membership
from worker.adapters.kafka.presence import Presence
from worker.adapters.kafka.properties import (
    admin_properties,
    consumer_properties,
    is_cooperative,
    is_kip848,
)
from worker.adapters.kafka.stalls import StallDetector, start_stalled_again
from worker.adapters.kafka.start_offsets import StartOffsets, offsets_at
from worker.adapters.kafka.teller import Teller
from worker.adapters.kafka.topic_ids import TopicIds
from worker.pipeline.ports import CommitFailed, Fetched, SourceFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from confluent_kafka import Message
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.core.records import Partition, Record
    from worker.pipeline.ports import Assignments
    from worker.settings import Kafka, Memory
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

CHUNK = 1000
"""Records of one fetch, at most: more are no cheaper (0.8 µs each), and the loop takes them all in."""

POLL_SECONDS = 0.1
"""How long a fetch waits for its first record."""

REST_SECONDS = 0.05
"""How long a fetch with no room waits before it answers: the delay after which consumption goes on."""

PAUSE_AFTER_SECONDS = 1.0
"""How long after the last fetch that had room the partitions are paused. Pausing throws away what was fetched ahead."""

CHECK_SECONDS = 2.0
"""How often the brokers are asked again while something is wrong, and for the ends of paused partitions."""

CHECK_WELL_SECONDS = 30.0
"""How often they are asked while all is well: a topic may have been deleted, and no callback tells of that."""

NOTE_SECONDS = 0.5
"""How often the ends are noted that come with what is fetched, for the lag."""

METADATA_SECONDS = 3.0

_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - the client's public name for its own code
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001 - the same


class KafkaSource:
    """Implements `ports.Source`.

    Args:
        kafka: the settings of that name.
        memory: of which a share is for what is fetched ahead.
        subscriptions: exact topic names, and patterns `^...$`.
        telemetry: told of assignments, commits, losses and errors.
        before_joining: awaited once a broker has answered; what it raises, `open` raises.

    Attributes:
        cluster_id: the cluster's own id; known once `open` returns.
        max_poll_interval: seconds that the group waits for a member to poll, and to give partitions up.
        session_timeout: seconds that the group waits for a member's heartbeat. With KIP-848 the broker
            decides, and this is its default.
    """

    def __init__(
        self,
        kafka: Kafka,
        memory: Memory,
        subscriptions: Sequence[str],
        telemetry: Telemetry,
        *,
        before_joining: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.cluster_id = ""
        self.max_poll_interval = int(kafka.properties.get("max.poll.interval.ms", 300_000)) / 1000
        self.session_timeout = int(kafka.properties.get("session.timeout.ms", 45_000)) / 1000
        self._kafka = kafka
        self._properties = consumer_properties(kafka, memory)
        self._subscriptions = list(subscriptions)
        self._exact = [topic for topic in subscriptions if not topic.startswith("^")]
        self._telemetry = telemetry
        self._before_joining = before_joining
        self._troubles = Troubles()
        self._poller = ThreadPoolExecutor(1, "kafka-poll")
        self._fetching: asyncio.Future[Fetched] | None = None
        self._had_room_at = 0.0
        self._checked_at = 0.0
        self._ends_at = 0.0
        self._aside_at = 0.0
        self._noted_at = 0.0
        self._out_of_range: dict[Partition, int] = {}
        self._topic_ids = TopicIds(admin_properties(kafka))
        self._presence: Presence | None = None
        self._polled: list[Message] = []
        self._stalls = StallDetector()
        self._idle_poll = False
        self._backoff = renewal_backoff()
        self._renew_at: float | None = None
        self._loop: asyncio.AbstractEventLoop
        self._consumer: Consumer
        self._teller: Teller
        self._membership: Membership | None = None

    async def open(self, assignments: Assignments) -> None:
        """Connect, look for the topics, subscribe. Waits while no broker answers; `problems` says so.

        Raises:
            SourceFailed: a topic does not exist, or librdkafka refuses a property.
        """
        self._loop = asyncio.get_running_loop()
        await self._in(self._poller, self._create, assignments)
        # What is waited for is a broker, not a task of ours that could set an event.
        while (metadata := await self._in(self._poller, self._metadata)) is None:  # noqa: ASYNC110 - see above
            await asyncio.sleep(REST_SECONDS)
        if missing := missing_topics(metadata, self._exact):
            raise SourceFailed(f"no such topic, or no right to see it: {', '.join(missing)}")
        self.cluster_id = str(metadata.cluster_id)
        if self._before_joining is not None:
            await self._before_joining()
        await self._in(self._poller, self._subscribe, metadata)

    async def fetch(self, limit: int) -> Fetched:
        """See `ports.Source.fetch`. What a cancelled call would have brought comes with the next one."""
        if self._fetching is None:
            if self._is_resting(limit):
                await asyncio.sleep(REST_SECONDS)
                return Fetched()
            self._fetching = self._in(self._poller, self._fetch, limit)
        fetched = await asyncio.shield(self._fetching)
        self._fetching = None
        return fetched

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        """See `ports.Source.commit`.

        What was revoked meanwhile is left out: it is another member's to commit.
        """
        tokens = self._member.tokens(offsets)
        try:
            outcomes = await self._in(self._poller, self._member.commit, dict(offsets), tokens)
        except KafkaException as error:
            why = error.args[0].name()
            self._telemetry.commit_failed(why)
            raise CommitFailed(why) from None
        refused = {partition: why for partition, why in outcomes.items() if why is not None}
        for each in refused.values():
            self._telemetry.commit_failed(each.name())
        self._telemetry.offsets_committed(len(outcomes) - len(refused))
        return refused.keys()

    async def confirm(self) -> None:
        """See `ports.Source.confirm`."""
        try:
            await self._in(self._poller, self._member.confirm)
        except KafkaException as error:
            raise CommitFailed(error.args[0].name()) from None

    async def close(self) -> None:
        """Revoke everything as a rebalance would, leave the group, end the thread."""
        if self._membership is not None:
            self._membership.stop_waiting()
            await self._in(self._poller, self._membership.close)
        self._poller.shutdown(wait=False)

    @property
    def joined(self) -> bool:
        """Whether the group knows this member, with or without partitions."""
        return self._membership is not None and self._membership.joined

    @property
    def is_complete(self) -> bool:
        """See `ports.Source.is_complete`."""
        return self._membership is not None and self._membership.is_complete

    def problems(self) -> list[dict[str, str]]:
        """What is wrong right now, as `/readyz` shows it."""
        return self._troubles.listed()

    def lags(self) -> dict[Partition, int]:
        """For each partition that is ours: offsets between what is committed and the end. Asks no broker."""
        return self._membership.lags() if self._membership is not None else {}

    @property
    def _member(self) -> Membership:
        assert self._membership is not None, "open() comes first"
        return self._membership

    def _in(
        self, executor: ThreadPoolExecutor, call: Callable[..., T], *arguments: object
    ) -> asyncio.Future[T]:
        return self._loop.run_in_executor(executor, functools.partial(call, *arguments))

    def _is_resting(self, limit: int) -> bool:
        # Not polling for a moment keeps what was fetched ahead; pausing would throw it away.
        if limit > 0:
            self._had_room_at = self._loop.time()
            return False
        return self._loop.time() - self._had_room_at < PAUSE_AFTER_SECONDS

    # Everything below runs in the polling thread.

    def _create(self, assignments: Assignments) -> None:
        patience = self.max_poll_interval * REVOKE_SHARE
        self._teller = Teller(self._loop, assignments, self._telemetry, patience)
        self._create_member()

    def _create_member(self) -> None:
        try:
            self._consumer = make_consumer(self._properties, error_cb=self._on_error)
        except KafkaException as error:
            raise SourceFailed(error.args[0].str()) from None
        if is_kip848(self._kafka.properties):
            self._presence = Presence(admin_properties(self._kafka), self._kafka.group_id)
        cooperative = is_cooperative(self._properties)
        self._membership = Membership(
            self._consumer,
            StartOffsets(self._consumer, self._kafka, self._topic_ids.of),
            self._teller,
            self._troubles,
            cooperative=cooperative,
        )

    def _subscribe(self, metadata: ClusterMetadata) -> None:
        self._member.subscribe(self._subscriptions)
        if not any(re.match(each, topic) for each in self._subscriptions for topic in metadata.topics):
            self._member.joined_without_partitions()

    def _client_failed(self, error: KafkaError) -> None:
        """The client is in a terminal state: give up what it had, and have another made.

        Raises:
            SourceFailed: another would fail in the same way.
        """
        if not can_heal(error):
            raise SourceFailed(describe(error))
        now = time.monotonic()
        self._renew_at = now + self._backoff.failed(now)
        self._troubles.client_failed(describe(error))
        self._teller.client_failed(describe(error))
        self._polled.clear()
        self._out_of_range.clear()
        self._member.abandon()

    def _renew(self) -> bool:
        """Make another client when its time has come; False while that is still ahead."""
        if self._renew_at is None:
            return True
        if time.monotonic() < self._renew_at:
            time.sleep(REST_SECONDS)
            return False
        if self._member.is_abandoned:
            self._create_member()
        if (metadata := self._metadata()) is None:
            return False
        self._renew_at = None
        self._subscribe(metadata)
        return True

    def _metadata(self) -> ClusterMetadata | None:
        self._checked_at = time.monotonic()
        try:
            metadata: ClusterMetadata = self._consumer.list_topics(timeout=METADATA_SECONDS)
        except KafkaException as error:
            # Lets the client say why: refused, not authenticated, ... What comes beside it must not be skipped.
            if (message := self._consumer.poll(0)) is not None:
                self._polled.append(message)
            self._troubles.noticed(error.args[0])
            self._troubles.unreachable()
            return None
        self._troubles.answered(metadata, self._exact)
        return metadata

    def _fetch(self, limit: int) -> Fetched:
        try:
            return self._fetch_from(self._member, limit) if self._renew() else Fetched()
        except KafkaException as error:
            if not is_fatal(error.args[0]):
                raise
            self._client_failed(error.args[0])
            return Fetched()

    def _fetch_from(self, membership: Membership, limit: int) -> Fetched:
        membership.pause(paused=limit <= 0)
        messages = membership.still_ours(self._take(min(limit, CHUNK)))
        fetched = Fetched([each for each in messages if each.error() is None])  # type: ignore[misc] # as Record
        if len(fetched.records) < len(messages):
            for message in messages:
                if message.error() is not None:
                    self._take_in_event(message, fetched)
        if self._troubles.forbids_topics:
            read = [each.topic() for each in fetched.records]
            self._troubles.allowed({*read, *(topic for topic, _ in fetched.positions)})
        self._read_from_the_start(membership, fetched)
        self._watch_topics(membership, fetched)
        membership.rejoin_if_needed()
        self._note_ends(membership)
        self._find_stalls(membership, paused=limit <= 0)
        self._check(membership, paused=limit <= 0)
        if membership.failure:
            raise membership.failure
        return fetched

    def _take(self, limit: int) -> list[Message]:
        if self._polled:
            polled, self._polled = self._polled, []
            return polled
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            self._idle_poll = True
            return []
        return [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]

    def _take_in_event(self, message: Message, fetched: Fetched) -> None:
        error, partition, offset = message.error(), _partition(message), message.offset()
        assert error is not None
        if is_fatal(error):
            raise KafkaException(error)
        if error.code() == _EOF and offset is not None:
            fetched.positions[partition] = offset
            self._stalls.reached_end(partition, offset)
        elif error.code() in _OUT_OF_RANGE:
            self._out_of_range[partition] = offset or 0
        else:
            self._troubles.noticed(error, message.topic())
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        self._troubles.noticed(error)
        self._teller.source_failed(error.name())

    def _read_from_the_start(self, membership: Membership, fetched: Fetched) -> None:
        """Where a position is out of range: go to the log's start, and say what was lost on the way."""
        while self._out_of_range:
            partition, reached = self._out_of_range.popitem()
            if partition not in membership.owned:
                continue
            try:
                first = offsets_at(self._consumer, [partition], OFFSET_BEGINNING)[partition]
                if reached > first:
                    self._begin_again(membership, [partition], fetched)
                    continue
                membership.read_from({partition: first})
            except KafkaException as error:
                self._on_error(error.args[0])
                self._out_of_range[partition] = reached  # the next fetch tries again
                return
            fetched.positions[partition] = first
            self._teller.records_lost(partition, first - reached)

    def _begin_again(self, membership: Membership, partitions: list[Partition], fetched: Fetched) -> None:
        membership.begin_again(partitions)
        again = set(partitions)
        fetched.records = [each for each in fetched.records if _partition(each) not in again]
        for partition in again:
            fetched.positions.pop(partition, None)
            self._out_of_range.pop(partition, None)

    def _watch_topics(self, membership: Membership, fetched: Fetched) -> None:
        """A topic that was deleted and created anew is another topic: what is committed and read says nothing of it."""
        for topic in self._topic_ids.changed(membership.topic_ids()):
            try:
                self._begin_again(
                    membership, [each for each in membership.owned if each[0] == topic], fetched
                )
            except KafkaException as error:
                self._on_error(error.args[0])  # the next answer says it again

    def _check(self, membership: Membership, *, paused: bool) -> None:
        """Ask now and then what no callback tells."""
        if (
            self._presence
            and not membership.joined
            and self._presence.has_nothing_for(self._consumer.memberid())
        ):
            membership.joined_without_partitions()
        self._take_up_set_aside(membership)
        quiet = time.monotonic() - self._checked_at
        if quiet > (CHECK_SECONDS if self._troubles else CHECK_WELL_SECONDS):
            self._metadata()
        elif paused and time.monotonic() - self._ends_at > CHECK_SECONDS:
            self._refresh_ends(membership)

    def _take_up_set_aside(self, membership: Membership) -> None:
        if membership.is_complete or time.monotonic() - self._aside_at < CHECK_SECONDS:
            return
        self._aside_at = time.monotonic()
        try:
            membership.take_up_set_aside()
        except KafkaException as error:
            self._on_error(error.args[0])

    def _find_stalls(self, membership: Membership, *, paused: bool) -> None:
        now = time.monotonic()
        if paused:
            self._stalls.no_room()
            return
        if not self._stalls.is_due(now) or self._out_of_range:
            return
        busy, self._idle_poll = not self._idle_poll, False
        try:
            stalled = start_stalled_again(self._stalls, self._consumer, membership, now, busy=busy)
        except KafkaException as error:
            self._on_error(error.args[0])
            return
        for partition in stalled:
            self._teller.fetch_stalled(partition)
        self._troubles.stalled(self._stalls.stalled)

    def _note_ends(self, membership: Membership) -> None:
        if time.monotonic() - self._noted_at > NOTE_SECONDS:
            self._noted_at = time.monotonic()
            membership.note_ends()

    def _refresh_ends(self, membership: Membership) -> None:
        self._ends_at = time.monotonic()
        try:
            membership.refresh_ends()
        except KafkaException as error:
            self._on_error(error.args[0])


def _partition(message: Message | Record) -> Partition:
    return message.topic() or "", message.partition() or 0
