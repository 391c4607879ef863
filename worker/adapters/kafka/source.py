"""Kafka as the pipeline's source: a plain consumer whose blocking calls all run in one thread of their own.

The thread polls only while a fetch is under way, so rebalances happen only then: never while the pipeline accepts
records. Commits wait for the poll to end, because the client lets one thread in at a time.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException

from worker.adapters.kafka.client_errors import NO_SUCH_TOPIC, ClientErrors, missing_topics
from worker.adapters.kafka.clients import make_consumer
from worker.adapters.kafka.elapsed import elapsed
from worker.adapters.kafka.error_codes import OUT_OF_RANGE, PARTITION_EOF
from worker.adapters.kafka.fatal_errors import can_heal, describe, is_fatal, renewal_backoff
from worker.adapters.kafka.group_settings import read_session
from worker.adapters.kafka.log_changes import LogChanges, partition_of
from worker.adapters.kafka.membership import Membership
from worker.adapters.kafka.own_words import is_refused_login
from worker.adapters.kafka.partition_count import PartitionCount
from worker.adapters.kafka.presence import Presence
from worker.adapters.kafka.properties import (
    admin_properties,
    consumer_properties,
    is_cooperative,
    is_kip848,
    leaves_group,
    max_poll_interval,
)
from worker.adapters.kafka.rebalance_listener import RebalanceListener
from worker.adapters.kafka.routine_checks import RoutineChecks
from worker.adapters.kafka.start_offsets import StartOffsetLookup
from worker.adapters.kafka.subscriptions import is_subscribed
from worker.adapters.kafka.timeouts import IDLE_SECONDS, POLL_SECONDS
from worker.adapters.kafka.topic_ids import TopicIds
from worker.pipeline.ports import CommitFailed, Fetched, SourceFailed, Standing
from worker.settings.connections import DEFAULT_SESSION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from confluent_kafka import Message
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.core.records import Partition
    from worker.pipeline.ports import Assignments
    from worker.settings import Kafka, Memory
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

CHUNK = 1000
"""The most records of one fetch. A record costs 0.8 µs to take from the client; larger fetches are no cheaper."""

PAUSE_AFTER_SECONDS = 1.0
"""How long after the last fetch with room the partitions are paused. Pausing throws away what was fetched ahead, so a
short lack of room should not cause it; not polling at all for longer would delay rebalances and error reports."""


class KafkaSource:
    """Implements `ports.Source`.

    Args:
        kafka: the settings of that name.
        memory: a share of it is for records fetched ahead.
        subscriptions: exact topic names, and patterns `^...$`.
        telemetry: notified of assignments, commits, losses and errors.
        shares_limit: whether a rate limit is shared with the group, so that `standing` is asked.
        replaces_member: whether this member takes the place of one that ended without leaving the group.
        before_joining: awaited once a broker has responded; `open` raises what it raises.

    Attributes:
        cluster_id: the cluster's own id; known once `open` returns.
        max_poll_interval: seconds within which the group needs a member to poll, and to give partitions up.
        session_timeout: seconds without a heartbeat after which the group gives the partitions to another member. With
            KIP-848 the brokers set it: it is read when `open` runs.
    """

    def __init__(  # noqa: PLR0913 - its settings and collaborators
        self,
        kafka: Kafka,
        memory: Memory,
        subscriptions: Sequence[str],
        telemetry: Telemetry,
        *,
        shares_limit: bool = False,
        replaces_member: bool = False,
        before_joining: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.cluster_id = ""
        self.max_poll_interval = max_poll_interval(kafka)
        self.session_timeout = (
            int(kafka.properties.get("session.timeout.ms", DEFAULT_SESSION_SECONDS * 1000)) / 1000
        )
        self._kafka = kafka
        self._properties = consumer_properties(kafka, memory)
        self._subscriptions = list(subscriptions)
        self._exact = [topic for topic in subscriptions if not topic.startswith("^")]
        self._telemetry = telemetry
        self._before_joining = before_joining
        self._shares_limit = shares_limit
        self._complete_at = math.inf if replaces_member else -math.inf
        self._count = PartitionCount(admin_properties(kafka), self._subscriptions, kafka.metadata_refresh)
        self._polled_at = -math.inf
        self._errors = ClientErrors()
        self._poller = ThreadPoolExecutor(1, "kafka-poll")
        self._fetching: asyncio.Future[Fetched] | None = None
        self._had_room_at = 0.0
        self._topic_ids = TopicIds(admin_properties(kafka))
        # Messages that the client returned while it was polled for something else.
        self._polled: list[Message] = []
        self._backoff = renewal_backoff()
        self._renew_at: float | None = None
        self._loop: asyncio.AbstractEventLoop
        self._consumer: Consumer
        self._listener: RebalanceListener
        self._log_changes: LogChanges
        self._checks: RoutineChecks
        self._membership: Membership | None = None

    async def open(self, assignments: Assignments) -> None:
        """Connect, look for the topics, subscribe. Waits while no broker responds; `problems` says so.

        Raises:
            SourceFailed: a topic does not exist, or librdkafka refuses a property.
        """
        self._loop = asyncio.get_running_loop()
        self._listener = RebalanceListener(self._loop, assignments, self._telemetry, self.max_poll_interval)
        # This waits for a broker, which cannot set an event.
        while (metadata := await self._in_poller(self._connect)) is None:  # noqa: ASYNC110 - see above
            await asyncio.sleep(IDLE_SECONDS)
        if missing := missing_topics(metadata, self._exact):
            raise SourceFailed(f"{NO_SUCH_TOPIC}: {', '.join(missing)}")
        self.cluster_id = str(metadata.cluster_id)
        if self._shares_limit:
            self._count.start()
        if self._before_joining is not None:
            await self._before_joining()
        # This waits for a broker, too.
        while not await self._in_poller(self._subscribe, metadata):  # noqa: ASYNC110 - see above
            await asyncio.sleep(IDLE_SECONDS)

    async def fetch(self, limit: int) -> Fetched:
        """See `ports.Source.fetch`. What a cancelled call would have returned comes with the next one."""
        if self._fetching is None:
            if self._is_resting(limit):
                await asyncio.sleep(IDLE_SECONDS)
                return Fetched()
            self._fetching = self._in_poller(self._fetch, limit)
        fetched = await asyncio.shield(self._fetching)
        self._fetching = None
        return fetched

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        """See `ports.Source.commit`.

        Partitions that were revoked meanwhile are left out: their next owner commits them.
        """
        tokens = self._member.assignment.tokens(offsets)
        try:
            outcomes = await self._in_poller(self._member.commit, dict(offsets), tokens)
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
            await self._in_poller(self._member.confirm)
        except KafkaException as error:
            raise CommitFailed(error.args[0].name()) from None

    async def close(self) -> None:
        """Revoke everything as a rebalance would, leave the group, end the thread."""
        if self._membership is not None:
            # First: a callback in the thread may be waiting for brokers, and `close` is queued behind it.
            self._membership.stop_waiting()
            await self._in_poller(self._membership.close)
        self._count.close()
        self._poller.shutdown(wait=False)

    @property
    def joined(self) -> bool:
        """Whether the group has accepted this member, with or without partitions."""
        return self._membership is not None and self._membership.joined

    @property
    def is_complete(self) -> bool:
        """See `ports.Source.is_complete`."""
        return (
            self._membership is not None and self._membership.is_complete and elapsed() >= self._complete_at
        )

    def problems(self) -> list[dict[str, str]]:
        """What is wrong right now, as `/readyz` shows it."""
        return self._errors.problems()

    def lags(self) -> dict[Partition, int]:
        """For each owned partition: offsets between the commit and the end. Asks no broker."""
        return self._membership.assignment.lags() if self._membership is not None else {}

    def standing(self) -> Standing:
        """See `ports.Source.standing`.

        A commit proves ownership at its own time. Heartbeats keep it, and the last one before was sent up to an
        interval earlier: a third of the session, as in `worker/pipeline/standstill.py`. A member that does not poll
        loses its partitions, too.
        """
        now = elapsed()
        partitions, asked_at = self._count.latest or (None, -math.inf)
        contact = self._membership.confirmed_at if self._membership is not None else -math.inf
        until = min(contact + self.session_timeout * 2 / 3, self._polled_at + self.max_poll_interval)
        return Standing(partitions, now - asked_at, until - now)

    @property
    def _member(self) -> Membership:
        assert self._membership is not None, "open() comes first"
        return self._membership

    def _in_poller(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return self._loop.run_in_executor(self._poller, functools.partial(call, *arguments))

    def _is_resting(self, limit: int) -> bool:
        # Not polling for a moment keeps what was fetched ahead; pausing would throw it away.
        if limit > 0:
            self._had_room_at = self._loop.time()
            return False
        return self._loop.time() - self._had_room_at < PAUSE_AFTER_SECONDS

    # Everything below runs in the polling thread.

    def _connect(self) -> ClusterMetadata | None:
        """Make a client unless there is a usable one, and ask for the metadata; None if that failed.

        Raises:
            SourceFailed: librdkafka refuses a property.
        """
        if self._membership is None or self._membership.is_abandoned:
            try:
                self._create_member()
            except KafkaException as error:
                if not is_refused_login(error.args[0]):
                    raise SourceFailed(error.args[0].str()) from None
                self._on_error(error.args[0])  # there is no token for it yet
                return None
        return self._checks.metadata()

    def _create_member(self) -> None:
        self._consumer = make_consumer(
            self._properties, on_line=self._errors.client_logged, error_cb=self._on_error
        )
        self._membership = Membership(
            self._consumer,
            StartOffsetLookup(self._consumer, self._kafka, self._topic_ids.of),
            self._listener,
            self._errors,
            cooperative=is_cooperative(self._properties),
            leaves=leaves_group(self._properties),
        )
        self._log_changes = LogChanges(
            self._consumer, self._membership, self._topic_ids, self._listener, self._on_error
        )
        kip848 = is_kip848(self._kafka.properties)
        self._checks = RoutineChecks(
            self._consumer,
            self._exact,
            self._membership,
            Presence(admin_properties(self._kafka), self._kafka.group_id) if kip848 else None,
            self._errors,
            self._listener,
            self._on_error,
            self._polled.append,
        )

    def _subscribe(self, metadata: ClusterMetadata) -> bool:
        """Join the group; False if that must be tried again.

        Raises:
            SourceFailed: the rate limit is shared, and the brokers do not tell the group's session timeout.
        """
        try:
            found = read_session(self._kafka, metadata, needed=self._shares_limit)
        except KafkaException as error:
            self._on_error(error.args[0])
            return False
        self.session_timeout = found or self.session_timeout
        # With KIP-848 a member that ended keeps its partitions for its session, and others join without them. Then it
        # takes them a heartbeat to learn of theirs: at most a third of a session.
        if self._complete_at == math.inf:
            lasts = self.session_timeout * 4 / 3 if is_kip848(self._kafka.properties) else 0.0
            self._complete_at = elapsed() + lasts
        self._member.subscribe(self._subscriptions)
        if not any(is_subscribed(topic, self._subscriptions) for topic in metadata.topics):
            self._member.joined_without_partitions()
        return True

    def _client_failed(self, error: KafkaError) -> None:
        """The client is in a terminal state: give up its partitions, and replace it.

        Raises:
            SourceFailed: another client would fail in the same way.
        """
        if not can_heal(error):
            raise SourceFailed(describe(error))
        now = time.monotonic()
        self._renew_at = now + self._backoff.failed(now)
        self._errors.client_failed(describe(error))
        self._listener.client_failed(describe(error))
        self._polled.clear()  # of partitions that are lost with the client
        self._member.abandon()

    def _renew(self) -> bool:
        """Replace a failed client once its delay is over; False if there is no usable client yet."""
        if self._renew_at is None:
            return True
        if time.monotonic() < self._renew_at:
            time.sleep(IDLE_SECONDS)  # without a client nothing blocks, and the pipeline fetches in a loop
            return False
        if (metadata := self._connect()) is None:
            time.sleep(IDLE_SECONDS)
            return False
        if not self._subscribe(metadata):
            return False
        self._renew_at = None
        return True

    def _fetch(self, limit: int) -> Fetched:
        try:
            return self._fetch_from(self._member, limit) if self._renew() else Fetched()
        except KafkaException as error:
            if not is_fatal(error.args[0]):
                raise
            self._client_failed(error.args[0])
            return Fetched()

    def _fetch_from(self, membership: Membership, limit: int) -> Fetched:
        membership.assignment.pause(paused=limit <= 0)
        messages = membership.without_moved(self._take(min(limit, CHUNK)))
        fetched = Fetched([each for each in messages if each.error() is None])  # type: ignore[misc] # as Record
        if len(fetched.records) < len(messages):
            for message in messages:
                if message.error() is not None:
                    self._handle_event(message, fetched)
        if self._errors.forbids_topics:
            read = [each.topic() for each in fetched.records]
            self._errors.topics_readable({*read, *(topic for topic, _ in fetched.positions)})
        self._log_changes.handle(fetched)
        membership.rejoin_if_needed()
        self._checks.run(paused=limit <= 0, out_of_range=bool(self._log_changes))
        # The records above are dropped: the worker ends, or gives their partitions up after a fatal error.
        if membership.failure:
            raise membership.failure
        return fetched

    def _take(self, limit: int) -> list[Message]:
        if self._polled:
            polled = self._polled.copy()
            self._polled.clear()  # in place: `RoutineChecks` appends to this list
            return polled
        self._polled_at = elapsed()
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            self._checks.polled_nothing()
            return []
        return [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]

    def _handle_event(self, message: Message, fetched: Fetched) -> None:
        error, partition, offset = message.error(), partition_of(message), message.offset()
        assert error is not None
        if is_fatal(error):
            raise KafkaException(error)
        if error.code() == PARTITION_EOF and offset is not None:
            fetched.positions[partition] = offset
            self._checks.reached_end(partition, offset)
        elif error.code() in OUT_OF_RANGE:
            self._log_changes.out_of_range(partition, offset or 0)
        else:
            self._errors.report(error, message.topic())
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        self._errors.report(error)
        self._listener.source_failed(error.name())
