"""Kafka in memory: the same behaviour towards the pipeline, scriptable, and on virtual time if the loop is.

`tests/kafka/test_source_contract.py` runs one suite against this, librdkafka's mock cluster and a real Apache
Kafka, so that what simulations assume about a source is proven.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from worker.core.records import Partition
from worker.pipeline.ports import Assignments, CommitFailed, Fetched, SourceFailed, Standing, Start

EARLIEST_MS = 1_700_000_000_000
"""The timestamp of records that were appended without one."""

COUNT_SECONDS = 1.0
"""How often a member counts the partitions."""


@dataclass(slots=True)
class MemoryRecord:
    """A record in the shape of `confluent_kafka.Message`."""

    of: Partition
    at: int
    record_key: bytes | None = None
    record_value: bytes | None = b"{}"
    record_headers: list[tuple[str, bytes | None]] | None = None
    millis: int = EARLIEST_MS

    def topic(self) -> str:
        return self.of[0]

    def partition(self) -> int:
        return self.of[1]

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.record_key

    def value(self) -> bytes | None:
        return self.record_value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.record_headers

    def timestamp(self) -> tuple[int, int]:
        return (1, self.millis)


@dataclass(slots=True)
class Log:
    """One partition: its records, where it begins, and the next record's offset. Offsets may have gaps."""

    records: list[MemoryRecord] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def from_offset(self, offset: int) -> list[MemoryRecord]:
        return [record for record in self.records if record.at >= offset]

    def from_time(self, millis: int) -> int:
        return next((record.at for record in self.records if record.millis >= millis), self.end)


class MemoryBroker:
    """Topics and one consumer group.

    Attributes:
        committed: what the group has committed.
        commits: every accepted commit, in order, for assertions.
        withheld: partitions that no member gets for now; change it by `take_away` and `give_back`.
        on_commit: called with every accepted commit.
    """

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self.logs: dict[Partition, Log] = {}
        self.committed: dict[Partition, int] = {}
        self.commits: list[dict[Partition, int]] = []
        self.members: list[MemorySource] = []
        self.owners: dict[Partition, MemorySource] = {}
        self.withheld: set[Partition] = set()
        self.on_commit: Callable[[Mapping[Partition, int]], None] = lambda _: None
        self.changed = asyncio.Event()
        for topic, partitions in (topics or {}).items():
            self.create_topic(topic, partitions)

    def create_topic(self, topic: str, partitions: int) -> None:
        self.logs = {(topic, number): Log() for number in range(partitions)} | self.logs
        self.wake()

    def append(  # a record's own parts
        self,
        topic: str,
        partition: int = 0,
        *,
        key: bytes | None = None,
        value: bytes | None = b"{}",
        headers: list[tuple[str, bytes | None]] | None = None,
        timestamp: int = EARLIEST_MS,
    ) -> int:
        """Append a record and answer its offset."""
        log = self.logs[topic, partition]
        log.records.append(MemoryRecord((topic, partition), log.end, key, value, headers, timestamp))
        log.end += 1
        self.wake()
        return log.end - 1

    def skip(self, topic: str, partition: int = 0, offsets: int = 1) -> None:
        """Let offsets go by without a record, as transaction markers and compaction do."""
        self.logs[topic, partition].end += offsets
        self.wake()

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete what is below an offset, as retention does."""
        log = self.logs[topic, partition]
        log.start = offset
        log.records = log.from_offset(offset)

    def take_away(self, partitions: Iterable[Partition]) -> None:
        """Revoke these from their owner, at that member's next fetch."""
        self.withheld |= set(partitions)
        self.wake()

    def give_back(self, partitions: Iterable[Partition]) -> None:
        """End `take_away`: some member gets them with its next fetch."""
        self.withheld -= set(partitions)
        self.wake()

    def delete_topic(self, topic: str) -> None:
        """Delete a topic. Its owners lose it with their next fetch."""
        gone = {each for each in self.logs if each[0] == topic}
        for member in self.members:
            member.lose(gone & member.positions.keys())
        for each in gone:
            del self.logs[each]
        self.wake()

    def share(self, member: MemorySource) -> set[Partition]:
        """What a member should own: partitions go round the members."""
        wanted = sorted(partition for partition in self.logs if member.wants(partition[0]))
        turns = enumerate(wanted)
        members = [each for each in self.members if not each.is_expired()]
        place = members.index(member)
        return {each for turn, each in turns if turn % len(members) == place} - self.withheld

    def expire(self) -> None:
        """Take the partitions of members whose session is over: the others get them, and they do not know."""
        self.owners = {each: owner for each, owner in self.owners.items() if not owner.is_expired()}

    def wake(self) -> None:
        """Tell fetches that wait that something changed."""
        self.changed.set()
        self.changed = asyncio.Event()


class MemorySource:
    """One member of the broker's group; implements `ports.Source`.

    Attributes:
        positions: the next offset of each partition that is ours.
        commit_failures: how many of the next commits fail; -1: all of them.
        commit_seconds: what a commit takes.
        confirmations: how often ownership was to be confirmed.
        session_timeout: seconds.
        fetch_seconds: how long a fetch waits for records.
        cut_off_at: since when no broker hears of this member.
        counts: whether it can count the partitions.
        lost_records: what retention took before it was read, as `telemetry.records_lost` would be told.
    """

    cluster_id = "memory-cluster"

    def __init__(self, broker: MemoryBroker, topics: Iterable[str], start_from: str = "earliest") -> None:
        self.broker = broker
        self.topics = frozenset(topics)
        self.start_from = start_from
        self.positions: dict[Partition, int] = {}
        self.commit_failures = 0
        self.commit_seconds = 0.0
        self.confirmations = 0
        self.session_timeout = 45.0
        self.fetch_seconds = 0.1
        self.lost_records: list[tuple[str, int, int]] = []
        self.joined = False
        self.cut_off_at: float | None = None
        self.counts = True
        self._confirmed_at = self._polled_at = -math.inf
        self._count: tuple[frozenset[Partition] | None, float] = None, -math.inf
        self._told: dict[Partition, int] = {}
        self._tokens: dict[Partition, object] = {}
        self._losing: set[Partition] = set()
        self._assignments: Assignments | None = None

    async def open(self, assignments: Assignments) -> None:
        missing = {each for each in self.topics if each[0] != "^"} - {topic for topic, _ in self.broker.logs}
        if missing:
            raise SourceFailed(f"no such topic: {', '.join(sorted(missing))}")
        self._assignments = assignments
        self.broker.members.append(self)
        self.broker.wake()

    def wants(self, topic: str) -> bool:
        return any(re.fullmatch(each, topic) for each in self.topics)

    def lose(self, partitions: Iterable[Partition]) -> None:
        """With the next fetch these are lost without a revoke; the group may give them back at once."""
        self._losing |= set(partitions)
        self.broker.wake()

    def cut_off(self) -> None:
        """From now on no broker responds to this member, or hears of it."""
        self.cut_off_at = self.cut_off_at or _now()

    def reconnect(self) -> None:
        """End `cut_off`. What others own by now is lost with the next fetch."""
        if self.is_expired():
            self._losing |= self.positions.keys()
        self.cut_off_at = None
        self.broker.wake()

    def is_expired(self) -> bool:
        """Whether its session is over. The last heartbeat was up to a third of that before it was cut off."""
        return self.cut_off_at is not None and _now() > self.cut_off_at + self.session_timeout * 2 / 3

    def standing(self) -> Standing:
        now = _now()
        if self.counts and self.cut_off_at is None and now - self._count[1] >= COUNT_SECONDS:
            found = frozenset(each for each in self.broker.logs if self.wants(each[0]))
            self._count = self._count[0] if self._count[0] == found else found, now
        return Standing(
            self._count[0], now - self._count[1], self._confirmed_at + self.session_timeout * 2 / 3 - now
        )

    @property
    def is_complete(self) -> bool:
        return True

    async def fetch(self, limit: int) -> Fetched:
        if self.cut_off_at is not None:
            await asyncio.sleep(self.fetch_seconds)
            return Fetched()
        self.broker.expire()
        changed = self.broker.changed
        await self._rebalance()
        fetched = self._take(limit) if limit else Fetched()
        if not fetched.records and not fetched.positions:
            await _wait(changed, self.fetch_seconds)
        return fetched

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        assert offsets.keys() <= self.positions.keys(), "a commit for a partition that is not ours"
        tokens = {partition: self._tokens[partition] for partition in offsets}
        sent_at = _now()
        await asyncio.sleep(self.commit_seconds)
        self._fail_commit()
        self._confirmed_at = sent_at
        # What was revoked meanwhile is left out, as `KafkaSource` does, even if it was assigned anew.
        self._store({each: at for each, at in offsets.items() if self._tokens.get(each) is tokens[each]})
        return ()

    async def confirm(self) -> None:
        self.confirmations += 1
        self._fail_commit()
        self._confirmed_at = _now()

    def _fail_commit(self) -> None:
        if self.commit_failures or self.cut_off_at is not None:
            self.commit_failures -= bool(self.commit_failures)
            raise CommitFailed("the coordinator is not available")

    async def close(self) -> None:
        await self._revoke(set(self.positions))
        if self in self.broker.members:
            self.broker.members.remove(self)
        self.joined = False
        self.broker.wake()

    def _store(self, offsets: Mapping[Partition, int]) -> None:
        if offsets:
            self.broker.committed.update(offsets)
            self.broker.commits.append(dict(offsets))
            self.broker.on_commit(offsets)

    async def _rebalance(self) -> None:
        share = self.broker.share(self)
        self._lose(self._losing & self.positions.keys())
        await self._revoke(self.positions.keys() - share)
        self._assign(partition for partition in sorted(share) if partition not in self.broker.owners)

    def _lose(self, partitions: set[Partition]) -> None:
        self._losing.clear()
        if partitions:
            assert self._assignments
            self._assignments.lost(sorted(partitions))
            self._forget(partitions)

    async def _revoke(self, partitions: set[Partition]) -> None:
        if not partitions:
            return
        assert self._assignments
        answer = await self._assignments.revoked(sorted(partitions))
        assert answer.keys() <= partitions, "an answer for a partition that was not revoked"
        if self.commit_failures:
            self.commit_failures -= 1
        else:
            self._store(answer)
        self._forget(partitions)

    def _forget(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            del self.positions[partition]
            del self._tokens[partition]
            if self.broker.owners.get(partition) is self:
                del self.broker.owners[partition]
            self._told.pop(partition, None)
        self.broker.wake()

    def _assign(self, partitions: Iterable[Partition]) -> None:
        starts = {partition: self._start(partition) for partition in partitions}
        if starts or not self.joined:
            assert self._assignments
            self.joined = True
            self.broker.owners |= dict.fromkeys(starts, self)
            self._tokens |= {partition: object() for partition in starts}
            self.positions |= {partition: start.offset for partition, start in starts.items()}
            self._assignments.assigned(starts)

    def _start(self, partition: Partition) -> Start:
        log = self.broker.logs[partition]
        committed = self.broker.committed.get(partition)
        if committed is None:
            return Start(self._fresh_start(log), None, log.end)
        if committed < log.start:
            self.lost_records.append((*partition, log.start - committed))
        return Start(max(committed, log.start), committed, log.end)

    def _fresh_start(self, log: Log) -> int:
        if self.start_from in {"earliest", "latest"}:
            return log.start if self.start_from == "earliest" else log.end
        return log.from_time(int(datetime.fromisoformat(self.start_from).timestamp() * 1000))

    def _take(self, limit: int) -> Fetched:
        fetched = Fetched()
        for partition, position in self.positions.items():
            log = self.broker.logs[partition]
            records = log.from_offset(position)[: limit - len(fetched.records)]
            fetched.records += records
            last = log.records[-1].at if log.records else -1
            reached = records[-1].at if records else position - 1
            if records:
                self.positions[partition] = reached + 1
            if reached >= last and self._told.get(partition) != log.end:
                self.positions[partition] = self._told[partition] = fetched.positions[partition] = log.end
        return fetched


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        pass


class RecordedAssignments:
    """The simplest `Assignments`: records notifications, and returns the offsets it was given.

    Attributes:
        starts: of the partitions that are assigned now.
        events: `("assigned" | "revoked" | "lost", partitions)` in order.
        to_commit: what to commit when a partition is revoked.
    """

    def __init__(self, to_commit: Mapping[Partition, int] | None = None) -> None:
        self.starts: dict[Partition, Start] = {}
        self.events: list[tuple[str, list[Partition]]] = []
        self.to_commit: dict[Partition, int] = dict(to_commit or {})

    def assigned(self, starts: Mapping[Partition, Start]) -> None:
        self.starts |= starts
        self.events.append(("assigned", sorted(starts)))

    async def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        await asyncio.sleep(0)
        self._drop("revoked", partitions)
        return {each: self.to_commit[each] for each in partitions if each in self.to_commit}

    def lost(self, partitions: Sequence[Partition]) -> None:
        self._drop("lost", partitions)

    def _drop(self, why: str, partitions: Sequence[Partition]) -> None:
        self.events.append((why, sorted(partitions)))
        for partition in partitions:
            self.starts.pop(partition, None)
