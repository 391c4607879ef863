"""All partitions of the subscribed topics, asked for again and again: a rate limit is shared in proportion to them.

A thread and a client of its own, because the polling thread waits in callbacks: for requests in flight at a revoke, for
start offsets at an assignment.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from worker.adapters.kafka.client_errors import ONE_TOPIC
from worker.adapters.kafka.clients import make_admin
from worker.adapters.kafka.elapsed import elapsed
from worker.adapters.kafka.subscriptions import is_subscribed

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata

    from worker.core.records import Partition

INTERVAL_SECONDS = 1.0
"""The most from one question to the next. An answer is good for 3.5 s (`worker/core/group_share.py`), so that one may
fail."""

RESPONSE_SECONDS = 1.5
"""How long to wait for one response before another broker is asked."""


class PartitionCount:
    """Counts until it is closed.

    Args:
        properties: of an administrative client.
        subscriptions: exact topic names, and patterns `^...$`.
        refresh: seconds within which each member of the group looks for new partitions.

    Attributes:
        latest: the partitions and when they were asked for, by `elapsed`; the same set while they are the same. None
            before the first answer. May be read from any thread.
    """

    def __init__(self, properties: dict[str, Any], subscriptions: Collection[str], refresh: float) -> None:
        self.latest: tuple[frozenset[Partition], float] | None = None
        self._properties = properties
        self._subscriptions = subscriptions
        self._interval = min(INTERVAL_SECONDS, refresh)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-count", daemon=True)

    def start(self) -> None:
        """Begin to count; called once."""
        self._thread.start()

    def close(self) -> None:
        """Stop counting. An answer that is awaited is not."""
        self._closing.set()

    def _run(self) -> None:
        admin = None
        while not self._closing.is_set():
            began = elapsed()
            with suppress(KafkaException):  # no broker responds, or there is no token yet: asked again
                admin = admin or make_admin(self._properties)
                self._count(admin)
            self._closing.wait(max(0.0, began + self._interval - elapsed()))

    def _count(self, admin: AdminClient) -> None:
        asked_at = elapsed()
        try:
            metadata = admin.list_topics(timeout=RESPONSE_SECONDS)
        finally:
            admin.poll(0)  # serves the client's callbacks: its log, tokens
        known = self.latest[0] if self.latest is not None else frozenset()
        found = subscribed_partitions(metadata, self._subscriptions, known)
        self.latest = known if found == known else found, asked_at


def subscribed_partitions(
    metadata: ClusterMetadata, subscriptions: Collection[str], known: frozenset[Partition]
) -> frozenset[Partition]:
    """The partitions of the subscribed topics.

    Args:
        metadata: of all topics.
        subscriptions: exact topic names, and patterns `^...$`.
        known: what was found before. A topic of which the brokers report an error that passes, such as an election,
            has as many partitions as before.
    """
    found = {each for each in known if _has_passing_error(metadata.topics.get(each[0]))}
    for topic, described in metadata.topics.items():
        if described.error is None and is_subscribed(topic, subscriptions):
            found |= {(topic, number) for number in described.partitions}
    return frozenset(found)


def _has_passing_error(described: TopicMetadata | None) -> bool:
    error = described.error if described is not None else None
    return error is not None and error.code() not in ONE_TOPIC
