"""A Kafka cluster inside this process: librdkafka's mock cluster. It stores nothing on disk and drops old records."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from confluent_kafka import Producer

RESPONSE_TIMEOUT_SECONDS = 10.0


class EmbeddedCluster:
    """A mock cluster that runs until it is closed.

    Topics are created on first use, with four partitions each. Consumer groups, commits and idempotent producers
    are supported; retention, compaction, topic settings and ACLs are not. A group member with
    `group.protocol: consumer` gets its partitions within a second; a classic one waits three seconds longer.

    Attributes:
        bootstrap_servers: the address for clients.
        producer: the producer that owns the cluster, for appending records.
    """

    def __init__(self, brokers: int = 1) -> None:
        # The mock cluster belongs to a client: it ends when this producer is deleted.
        self.producer = Producer(
            {
                "test.mock.num.brokers": brokers,
                "linger.ms": 0,
                "logger": logging.getLogger("worker.demo.cluster"),
            }
        )
        brokers_found = self.producer.list_topics(timeout=RESPONSE_TIMEOUT_SECONDS).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers_found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def create_topic(self, name: str) -> int:
        """Create a topic if it does not exist; returns its number of partitions."""
        return len(self.producer.list_topics(name, timeout=RESPONSE_TIMEOUT_SECONDS).topics[name].partitions)

    def close(self) -> None:
        """End the cluster. Clients that are still connected lose their broker."""
        self.producer.flush(RESPONSE_TIMEOUT_SECONDS)
        del self.producer
