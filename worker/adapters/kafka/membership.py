"""This consumer as a member of its group: joining, rebalances, commits, leaving.

Everything here runs in the polling thread unless it says otherwise. The client admits one thread at a time, for
the duration of a poll and its callbacks. If a second thread waited for the poll while a callback waited for that
thread, both would deadlock.

A callback never raises: the client would drop the record that it was about to return. It stores the exception in
`failure` instead, and the next fetch raises it.

`_subscriptions` is kept because the client's own subscription is gone after `unsubscribe` and in a new client.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from worker.adapters.kafka.assignment import Assignment, to_partitions
from worker.adapters.kafka.by_topic import look_up_by_topic
from worker.adapters.kafka.elapsed import elapsed
from worker.adapters.kafka.start_offsets import StartOffsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import KafkaError

    from worker.adapters.kafka.client_errors import ClientErrors
    from worker.adapters.kafka.rebalance_listener import RebalanceListener
    from worker.adapters.kafka.start_offsets import StartOffsetLookup
    from worker.core.records import Partition

LOOK_UP_ALL_SECONDS = 30.0
"""How long an assignment may wait for its start offsets, before the member rejoins. Below Kafka's default session
timeout of 45 s, and far below the default `max.poll.interval.ms` of 300 s: the callback blocks polling."""

RETRY_SECONDS = 0.5
"""The delay between two attempts to look start offsets up."""

REVOKED_SECONDS = 30.0
"""How long a member polls for the revocation of everything before it closes its client: longer than the
callback waits for requests in flight by default (`pipelines.timeout` and a second)."""

REVOKED_POLL_SECONDS = 0.1
"""How long each of these polls waits."""


class Membership:
    """The consumer's part in its group.

    Args:
        consumer: of the group.
        lookup: finds where assigned partitions start.
        listener: notified of rebalances.
        errors: notified of errors.
        cooperative: whether a rebalance revokes only the partitions that move.
        leaves: whether it leaves the group when it ends, see `properties.leaves_group`.

    Attributes:
        assignment: the partitions that this member owns.
        joined: whether the group has accepted this member, with or without partitions. Read by the event loop.
        failure: an exception of a callback, to be raised by the next fetch.
        confirmed_at: when the latest commit was sent that the coordinator accepted, by `elapsed`. Read by the event
            loop.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        consumer: Consumer,
        lookup: StartOffsetLookup,
        listener: RebalanceListener,
        errors: ClientErrors,
        *,
        cooperative: bool,
        leaves: bool = True,
    ) -> None:
        self._leaves = leaves
        self.assignment = Assignment(consumer, cooperative=cooperative)
        self.joined = False
        self.failure: Exception | None = None
        self.confirmed_at = -math.inf
        self._consumer = consumer
        self._lookup = lookup
        self._listener = listener
        self._errors = errors
        self._subscriptions: list[str] = []
        # Assigned, but not read yet: their start offsets could not be looked up, or their topic was refused then.
        self._deferred: set[Partition] = set()
        self._must_rejoin = False
        self._abandoned = False
        self._closing = threading.Event()

    # Joining and leaving

    def subscribe(self, subscriptions: Sequence[str]) -> None:
        """Join the group; the first assignment comes while polling."""
        self._subscriptions = list(subscriptions)
        self._consumer.subscribe(
            self._subscriptions, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def joined_without_partitions(self) -> None:
        """The group has accepted this member and has no partitions for it, as found out without a callback."""
        self.joined = True
        self._lookup.group_started()
        self._listener.assigned(StartOffsets({}, {}))

    def rejoin_if_needed(self) -> None:
        """Rejoin if the start offsets of an assignment could not be looked up."""
        if self._must_rejoin and not self._closing.is_set():
            self._must_rejoin = False
            self._consumer.unsubscribe()
            self.subscribe(self._subscriptions)

    def stop_waiting(self) -> None:
        """Interrupt waits for brokers in callbacks. Safe to call from any thread."""
        self._closing.set()

    def close(self) -> None:
        """Have everything revoked, and leave the group."""
        if not self._abandoned:
            if self._leaves:
                self._have_all_revoked()
            self._consumer.close()
        self.assignment.clear()
        self.joined = False

    def _have_all_revoked(self) -> None:
        """Have everything revoked before the client is closed.

        If the group is rebalancing, librdkafka can end its part in it while a revocation's callback runs within
        `close`. After the callback the binding asks for the rebalance protocol and waits for ever, because librdkafka
        drops requests to a part that has ended (`rd_kafka_cgrp_op_serve`). It holds Python's global lock then: nothing
        runs any more. A poll does not end that part. A static member of a classic group has to take the risk, because
        `unsubscribe` would leave the group.
        """
        try:
            self._consumer.unsubscribe()
        except KafkaException:  # after a fatal error there is nothing to give up in order
            return
        deadline = time.monotonic() + REVOKED_SECONDS
        while (self.assignment.partitions or self._deferred) and time.monotonic() < deadline:
            # A member that the group has fenced meanwhile cannot give partitions up, and the poll says so: by
            # SystemError if it returns a record, too. Nothing that is polled here is used, or committed.
            with suppress(KafkaException, SystemError):
                self._consumer.poll(REVOKED_POLL_SECONDS)

    def abandon(self) -> None:
        """The client is in a terminal state: all partitions are lost, and nothing can be committed."""
        self._abandoned = True
        self.joined = False
        lost = self.assignment.partitions
        self.assignment.give_up(lost)
        self._deferred.clear()
        if lost:
            self._listener.lost(lost)
        with suppress(KafkaException):
            self._consumer.close()

    @property
    def is_abandoned(self) -> bool:
        """Whether the client is in a terminal state."""
        return self._abandoned

    @property
    def is_complete(self) -> bool:
        """Whether every partition that the group assigned is being read. Safe to call from any thread."""
        return not self._deferred and not self._abandoned

    def without_moved(self, messages: list[Message]) -> list[Message]:
        """See `Assignment.without_moved`."""
        try:
            return self.assignment.without_moved(messages)
        except KafkaException as error:
            # A callback ran within this poll. Its outcome is reported by the same path as a callback's own failures.
            self.failure = error
            return []

    # Commits

    def commit(
        self, offsets: Mapping[Partition, int], tokens: Mapping[Partition, object]
    ) -> dict[Partition, KafkaError | None]:
        """Commit partitions that are still owned by the assignment that `tokens` identifies.

        Returns:
            Those partitions, each with the reason why Kafka refuses it; None if it was committed.

        Raises:
            KafkaException: the group coordinator accepted none of them.
        """
        owned = self.assignment.tokens(tokens)
        offsets = {each: offsets[each] for each, token in tokens.items() if owned.get(each) is token}
        return self._commit(offsets) if offsets else {}

    def confirm(self) -> None:
        """Have the coordinator confirm ownership: it accepts commits only from members of its current generation.

        Raises:
            KafkaException: it did not confirm.
        """
        if committed := self.assignment.committed():
            self._commit(committed)

    def _commit(self, offsets: Mapping[Partition, int]) -> dict[Partition, KafkaError | None]:
        sent_at = elapsed()
        outcomes = self.assignment.commit(offsets)
        # A comparison of a KafkaError with None raises.
        if any(error is None for error in outcomes.values()):
            self.confirmed_at = sent_at
        for (topic, _), error in outcomes.items():
            if error is not None:
                self._errors.report(error, topic)
        self._errors.group_responded()
        return outcomes

    # Partitions that start again, or later

    def restart(self, partitions: Sequence[Partition]) -> None:
        """The logs of these were truncated, or their topic was recreated: read them from their beginning.

        Raises:
            KafkaException: a broker did not answer; nothing has changed then.
        """
        starts = self._lookup.beginnings(partitions, self.assignment.notes)
        self.assignment.read_from({each: start.offset for each, start in starts.found.items()})
        self._listener.lost(partitions)
        self.assignment.own(starts)
        self._listener.assigned(starts)

    def take_up_deferred(self) -> None:
        """Start reading deferred partitions whose topic is no longer refused.

        Raises:
            KafkaException: the brokers do not respond.
        """
        if not self._deferred:
            return
        starts = self._look_up_once(sorted(self._deferred))
        if starts.found:
            self.assignment.own(starts)
            self.assignment.read_from({each: start.offset for each, start in starts.found.items()})
            self._errors.topics_readable({topic for topic, _ in starts.found})
            self._listener.assigned(starts)

    # Rebalances

    def _on_assign(self, _: Consumer, places: list[TopicPartition]) -> None:
        try:
            starts = self._look_up(to_partitions(places))
            if starts is None:
                self._must_rejoin = True
                # The client could not give them up otherwise, and would wait for that for ever.
                self._deferred |= set(to_partitions(places))
                starts = StartOffsets({}, {})
            if not places:
                self._lookup.group_started()
            self.assignment.take_up(starts, self._deferred)
            if not self._must_rejoin:
                self.joined = True
                self._errors.group_responded()
                self._listener.assigned(starts)
        except Exception as error:  # noqa: BLE001 - raised by the next fetch
            self.failure = error

    def _look_up(self, partitions: list[Partition]) -> StartOffsets | None:
        deadline = time.monotonic() + LOOK_UP_ALL_SECONDS
        while time.monotonic() < deadline and not self._closing.is_set():
            try:
                return self._look_up_once(partitions)
            except KafkaException as error:
                self._errors.report(error.args[0])
                self._listener.source_failed(error.args[0].name())
                self._closing.wait(RETRY_SECONDS)
        return None

    def _look_up_once(self, partitions: Sequence[Partition]) -> StartOffsets:
        starts, refused = look_up_by_topic(
            lambda some: self._lookup.look_up(some, self._subscriptions), partitions
        )
        self._deferred |= {each for each in partitions if each[0] in refused}
        self._deferred -= starts.found.keys()
        for topic, error in refused.items():
            self._errors.report(error, topic)
        return starts

    def _on_revoke(self, _: Consumer, places: list[TopicPartition]) -> None:
        # The Python binding itself unassigns after this callback and the next, in the way that the protocol requires.
        revoked = list(self.assignment.tokens(to_partitions(places)))
        self._deferred -= set(to_partitions(places))
        try:
            offsets = self._listener.revoked(revoked) if revoked else {}
            # Before the commit, which may fail: the partitions are revoked either way.
            self.assignment.give_up(revoked)
            if offsets:
                self._commit(offsets)
        except KafkaException as error:
            self._listener.commit_failed(error.args[0].name())
        except Exception as error:  # noqa: BLE001 - raised by the next fetch
            self.failure = error

    def _on_lost(self, _: Consumer, places: list[TopicPartition]) -> None:
        lost = list(self.assignment.tokens(to_partitions(places)))
        self._deferred -= set(to_partitions(places))
        try:
            self.joined = False
            self.confirmed_at = -math.inf
            self.assignment.give_up(lost)
            if lost:
                self._listener.lost(lost)
        except Exception as error:  # noqa: BLE001 - raised by the next fetch
            self.failure = error
