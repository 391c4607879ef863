"""Three Kafkas behind one face, so that one suite of tests can run against each of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from tests.support.kafka_client import KafkaClient
from tests.support.memory_source import EARLIEST_MS, MemoryBroker, MemorySource, RecordedAssignments
from tests.support.recorded_telemetry import RecordedTelemetry
from worker.adapters.kafka.source import KafkaSource
from worker.core.records import Partition, Record
from worker.demo.cluster import EmbeddedCluster
from worker.pipeline.ports import Source, Start
from worker.settings import Kafka, Memory

SECONDS = 30.0


class World(Protocol):
    """A Kafka with one consumer group."""

    def create_topic(self) -> str:
        """A topic with four empty partitions."""

    def append(self, topic: str, partition: int, n: int, timestamp: int | None = None) -> None: ...
    def source(self, *subscriptions: str, start_from: str = "earliest") -> Source: ...
    def committed(self, partition: Partition) -> int | None: ...


class MemoryWorld:
    """The fake."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()

    def create_topic(self) -> str:
        name = f"topic-{len(self.broker.logs)}"
        self.broker.create_topic(name, 4)
        return name

    def append(self, topic: str, partition: int, n: int, timestamp: int | None = None) -> None:
        for _ in range(n):
            self.broker.append(topic, partition, timestamp=timestamp or EARLIEST_MS)

    def source(self, *subscriptions: str, start_from: str = "earliest") -> Source:
        return MemorySource(self.broker, subscriptions, start_from)

    def committed(self, partition: Partition) -> int | None:
        return self.broker.committed.get(partition)


class KafkaWorld:
    """The mock cluster or a real Kafka."""

    def __init__(
        self, client: KafkaClient, cluster: EmbeddedCluster | None = None, **properties: str
    ) -> None:
        self.client = client
        self.cluster = cluster
        self.group = f"group-{uuid.uuid4().hex[:10]}"
        self.telemetry = RecordedTelemetry()
        self.properties = {name.replace("_", "."): value for name, value in properties.items()}

    def create_topic(self) -> str:
        if self.cluster is None:
            return self.client.create_topic(partitions=4)
        name = f"topic-{uuid.uuid4().hex[:10]}"
        assert self.cluster.create_topic(name) == 4
        return name

    def append(self, topic: str, partition: int, n: int, timestamp: int | None = None) -> None:
        self.client.append(topic, partition, [b"{}"] * n, timestamp=timestamp)

    def source(self, *subscriptions: str, start_from: str = "earliest") -> KafkaSource:
        settings = Kafka(
            bootstrap_servers=self.client.servers,
            group_id=self.group,
            start_from=start_from,
            properties=self.properties,
        )
        return KafkaSource(settings, Memory(), subscriptions, cast("Any", self.telemetry))

    def committed(self, partition: Partition) -> int | None:
        return self.client.committed(self.group, partition)


@dataclass
class Member:
    """A source with someone who fetches.

    Attributes:
        records: all that came, in order.
        positions: how far each assignment has come, by records or without.
        to_commit: what to commit when a partition is revoked; else the position.
    """

    source: Source
    assignments: RecordedAssignments = field(default_factory=RecordedAssignments)
    records: list[Record] = field(default_factory=list)
    positions: dict[Partition, int] = field(default_factory=dict)
    _began: dict[Partition, Start] = field(default_factory=dict)

    async def fetch(self, limit: int = 1000) -> int:
        """Fetch once, take in what came, and answer how many records."""
        fetched = await self.source.fetch(limit)
        for partition, start in self.assignments.starts.items():
            if self._began.get(partition) is not start:
                self._began[partition], self.positions[partition] = start, start.offset
        for record in fetched.records:
            partition = (record.topic(), record.partition())
            assert partition in self.assignments.starts, "a record of a partition that is not ours"
            assert record.offset() >= self.positions[partition], "a record came twice"
            self.records.append(record)
            self.positions[partition] = record.offset() + 1
        self.positions |= fetched.positions
        return len(fetched.records)

    @property
    def owned(self) -> set[Partition]:
        return set(self.assignments.starts)

    def offsets(self, partition: Partition) -> list[int]:
        return [each.offset() for each in self.records if (each.topic(), each.partition()) == partition]


async def until(condition: Callable[[], bool], *members: Member, limit: int = 1000) -> None:
    """Let these members fetch until something holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.gather(*(member.fetch(limit) for member in members))


async def joined(world: World, *subscriptions: str, start_from: str = "earliest") -> Member:
    """A member that has its first assignment."""
    member = Member(world.source(*subscriptions, start_from=start_from))
    await member.source.open(member.assignments)
    await until(lambda: bool(member.assignments.events), member)
    return member


def partitions(topic: str, numbers: Sequence[int] = range(4)) -> set[Partition]:
    return {(topic, number) for number in numbers}
