"""A Kafka inside this process: librdkafka's own mock cluster. It keeps nothing, and forgets old records."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

ANSWER_SECONDS = 10.0


class EmbeddedCluster:
    """The cluster lives until it is closed.

    Topics appear when they are first asked for, with four partitions each. It knows consumer groups, commits
    and idempotent producers; it knows no retention, compaction, topic settings or rights. A member of a group
    with `group.protocol: consumer` gets its partitions in a second; a classic one waits for three more.

    Attributes:
        bootstrap_servers: its address, for every client.
        producer: a producer of the cluster's own, to append records with.
    """

    def __init__(self, brokers: int = 1) -> None:
        # The cluster is a feature of a client: it ends with this producer.
        self.producer = Producer(
            {
                "test.mock.num.brokers": brokers,
                "linger.ms": 0,
                "logger": logging.getLogger("worker.demo.cluster"),
            }
        )
        known = self.producer.list_topics(timeout=ANSWER_SECONDS).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in known)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def create_topic(self, name: str) -> int:
        """Let a topic appear, and answer how many partitions it has."""
        return len(self.producer.list_topics(name, timeout=ANSWER_SECONDS).topics[name].partitions)

    def close(self) -> None:
        """End the cluster; clients that are still connected find no broker any more."""
        self.producer.flush(ANSWER_SECONDS)
        del self.producer
