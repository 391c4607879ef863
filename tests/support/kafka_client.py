"""What tests do to a Kafka from outside: topics, records, transactions, retention, a look at what was committed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from worker.core.records import Partition

SECONDS = 20.0
Headers = list[tuple[str, str | bytes | None]]


class KafkaClient:
    """Blocking and simple; each call is done when it returns."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 0, "log_level": 0})

    def create_topic(self, partitions: int = 1, name: str | None = None, **settings: str) -> str:
        """Create a topic, under a name that nothing else uses if none is given."""
        name = name or f"topic-{uuid.uuid4().hex[:10]}"
        config = {key.replace("_", "."): value for key, value in settings.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while name not in self.admin.list_topics(timeout=SECONDS).topics:
            assert time.monotonic() < deadline
        return name

    def append(
        self,
        topic: str,
        partition: int = 0,
        values: Sequence[bytes | None] = (b"{}",),
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Append records to one partition."""
        when: dict[str, Any] = {} if timestamp is None else {"timestamp": timestamp}
        for value in values:
            self._producer.produce(topic, value, key, partition, headers=headers or [], **when)
        assert self._producer.flush(SECONDS) == 0

    def enqueue(self, topic: str, partition: int, value: bytes | None, *, key: bytes) -> None:
        """Hand over a record that the next `flush` will have appended."""
        self._producer.produce(topic, value, key, partition)

    def flush(self) -> None:
        """Append what was handed over."""
        assert self._producer.flush(SECONDS) == 0

    def append_in_transaction(self, topic: str, values: Sequence[bytes], *, commit: bool = True) -> None:
        """Append records to partition 0 in a transaction: its marker takes an offset too."""
        producer = Producer({"bootstrap.servers": self.servers, "transactional.id": uuid.uuid4().hex})
        producer.init_transactions(SECONDS)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        producer.flush(SECONDS)
        (producer.commit_transaction if commit else producer.abort_transaction)(SECONDS)

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete what is below an offset, as retention does."""
        place = TopicPartition(topic, partition, offset)
        self.admin.delete_records([place])[place].result(SECONDS)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic."""
        self.admin.delete_topics([topic])[topic].result(SECONDS)

    def add_partitions(self, topic: str, total: int) -> None:
        """Let a topic have so many partitions."""
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(SECONDS)
        deadline = time.monotonic() + SECONDS
        # This is also how the producer gets to know them.
        while len(self._producer.list_topics(topic, SECONDS).topics[topic].partitions) < total:
            assert time.monotonic() < deadline

    def set_session_timeout(self, group: str, milliseconds: int) -> None:
        """Change a KIP-848 group's own setting, as an administrator does."""
        entry = ConfigEntry(
            "consumer.session.timeout.ms", str(milliseconds), incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
        for changed in self.admin.incremental_alter_configs([resource], request_timeout=SECONDS).values():
            changed.result(SECONDS)

    def end(self, topic: str, partition: int) -> int:
        """The read_committed end of a partition."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader"})
        try:
            ends: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)
            return ends[1]
        finally:
            consumer.close()

    def committed(self, group: str, partition: Partition) -> int | None:
        """What a group has committed."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group})
        try:
            offset = consumer.committed([TopicPartition(*partition)], timeout=SECONDS)[0].offset
            return offset if offset >= 0 else None
        finally:
            consumer.close()

    def commit(self, group: str, partition: Partition, offset: int) -> None:
        """Commit for a group that has no members, as an administrator does."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group})
        try:
            consumer.commit(offsets=[TopicPartition(*partition, offset)], asynchronous=False)
        finally:
            consumer.close()

    def read(self, topic: str, n: int, partition: int = 0) -> list[Message]:
        """The first records of a partition."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader"})
        consumer.assign([TopicPartition(topic, partition, 0)])
        try:
            messages = [message for _ in range(n) if (message := consumer.poll(SECONDS)) is not None]
            assert all(message.error() is None for message in messages)
            return messages
        finally:
            consumer.close()
