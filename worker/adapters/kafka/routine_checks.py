"""What the source asks the brokers from time to time, because no callback reports it.

- the metadata: topics that were deleted, brokers that respond again;
- the ends of partitions, for the lag;
- whether deferred partitions can be read by now;
- whether a KIP-848 group has accepted this member without giving it partitions;
- whether a partition has stalled.

Runs in the polling thread, once with each fetch; each check knows when it is due.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException

from worker.adapters.kafka.stalls import StallDetector, restart_stalled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import KafkaError, Message
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.adapters.kafka.client_errors import ClientErrors
    from worker.adapters.kafka.membership import Membership
    from worker.adapters.kafka.presence import Presence
    from worker.adapters.kafka.rebalance_listener import RebalanceListener
    from worker.core.records import Partition

METADATA_SECONDS = (0.5, 2.5)
"""How long requests for metadata may take, one after the other. Fetching waits for them, so they are shorter than other
responses. Between them the client is polled for its errors, so that a refused login is reported soon."""

CHECK_SECONDS = 2.0
"""The interval of checks while something is wrong, and of requests for the ends of paused partitions. It bounds how
long an error is reported after its cause is gone."""

CHECK_HEALTHY_SECONDS = 30.0
"""The interval of requests for metadata while nothing is wrong: a topic may have been deleted. It is also how often the
client itself looks for new topics (`topic.metadata.refresh.interval.ms` in `properties.py`)."""

CACHED_ENDS_SECONDS = 0.5
"""The interval at which ends that came with fetched records are read, for the lag: often enough for a gauge."""


class RoutineChecks:
    """Owns when each check is due, and what it found last.

    Args:
        consumer: of the group.
        topics: the exact names that are subscribed to.
        membership: of the same consumer.
        presence: asks a KIP-848 group about this member; None with the classic protocol.
        errors: gets what is found wrong.
        listener: notified of stalls.
        on_error: gets errors of the brokers.
        on_message: gets a message that came while the client was polled for its errors.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything that is checked
        self,
        consumer: Consumer,
        topics: Sequence[str],
        membership: Membership,
        presence: Presence | None,
        errors: ClientErrors,
        listener: RebalanceListener,
        on_error: Callable[[KafkaError], None],
        on_message: Callable[[Message], None],
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._membership = membership
        self._presence = presence
        self._errors = errors
        self._listener = listener
        self._on_error = on_error
        self._on_message = on_message
        self._stalls = StallDetector()
        self._idle_poll = False
        self._metadata_at = 0.0
        self._ends_at = 0.0
        self._cached_ends_at = 0.0
        self._deferred_at = 0.0

    def polled_nothing(self) -> None:
        """A poll returned no message, so no partition's records are queued behind another's."""
        self._idle_poll = True

    def reached_end(self, partition: Partition, offset: int) -> None:
        """The client reported the end of a partition."""
        self._stalls.reached_end(partition, offset)

    def metadata(self) -> ClusterMetadata | None:
        """Ask for the metadata now; None if no broker responds."""
        self._metadata_at = time.monotonic()
        for seconds in METADATA_SECONDS:
            try:
                metadata: ClusterMetadata = self._consumer.list_topics(timeout=seconds)
            except KafkaException:
                # The client reports the cause (refused, not authenticated, ...) when polled, and may return a record.
                if (message := self._consumer.poll(0)) is not None:
                    self._on_message(message)
            else:
                self._errors.metadata_received(metadata, self._topics)
                return metadata
        self._errors.brokers_unreachable()
        return None

    def run(self, *, paused: bool, out_of_range: bool) -> None:
        """Make the checks that are due.

        Args:
            paused: whether nothing may be fetched.
            out_of_range: whether a position is known to be wrong, which explains why its partition does not advance.
        """
        self._read_cached_ends()
        self._check_stalls(paused=paused, out_of_range=out_of_range)
        self._check_presence()
        self._check_deferred()
        since = time.monotonic() - self._metadata_at
        if since > (CHECK_SECONDS if self._errors or self._errors.topics_doubtful else CHECK_HEALTHY_SECONDS):
            self.metadata()
        elif paused and time.monotonic() - self._ends_at > CHECK_SECONDS:
            self._request_ends()

    def _read_cached_ends(self) -> None:
        if time.monotonic() - self._cached_ends_at > CACHED_ENDS_SECONDS:
            self._cached_ends_at = time.monotonic()
            self._membership.assignment.read_cached_ends()

    def _check_stalls(self, *, paused: bool, out_of_range: bool) -> None:
        now = time.monotonic()
        if paused:
            self._stalls.no_room()
            return
        if not self._stalls.is_due(now) or out_of_range:
            return
        busy, self._idle_poll = not self._idle_poll, False
        try:
            stalled = restart_stalled(
                self._stalls, self._consumer, self._membership.assignment, now, busy=busy
            )
        except KafkaException as error:
            self._on_error(error.args[0])
            return
        for partition in stalled:
            self._listener.fetch_stalled(partition)
        self._errors.set_stalled(self._stalls.stalled)

    def _check_presence(self) -> None:
        if self._presence is None or self._membership.joined:
            return
        if self._presence.is_idle_member(self._consumer.memberid()):
            self._membership.joined_without_partitions()

    def _check_deferred(self) -> None:
        if self._membership.is_complete or time.monotonic() - self._deferred_at < CHECK_SECONDS:
            return
        self._deferred_at = time.monotonic()
        try:
            self._membership.take_up_deferred()
        except KafkaException as error:
            self._on_error(error.args[0])

    def _request_ends(self) -> None:
        self._ends_at = time.monotonic()
        try:
            self._membership.assignment.request_ends()
        except KafkaException as error:
            self._on_error(error.args[0])
