"""Dead letters for tests, and a dead-letter topic in memory that a replay can read and mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.memory_source import MemoryRecord
from worker.adapters.kafka.scan import Piece
from worker.core.reasons import Stage
from worker.core.records import Record
from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.failed_record import FailedRecord
from worker.dead_letters.headers import Range, headers_of
from worker.dead_letters.index import Index
from worker.dead_letters.marks import Mark, headers_of_mark
from worker.dead_letters.resolutions import Resolutions
from worker.pipeline.ports import CommitFailed

TOPIC = "dead-letters"
CLUSTER = "cluster-1"
FAILED_AT = 1_795_269_600.25
"""2026-11-21T14:00:00.250Z"""

RecordHeaders = list[tuple[str, bytes | None]]


def dead_letter_record(
    offset: int = 0,
    partition: int = 0,
    *,
    origin: tuple[str, int, int] = ("orders", 0, 0),
    reason: str = "MISSING_ID",
    stage: Stage = Stage.VALIDATE,
    key: bytes | None = b"key",
    value: bytes | None = b"{}",
    own: Sequence[tuple[str, bytes | None]] = (),
    millis: int = 1_700_000_000_123,
    failed_at: float = FAILED_AT,
    replays: int = 0,
    **why: Any,
) -> MemoryRecord:
    """A record of the dead-letter topic, with the headers that the worker writes."""
    source = MemoryRecord(origin[:2], origin[2], key, value, [*own], millis)
    dead_letter = FailedRecord(source, stage, reason, "a sentence", failed_at, **why)
    found = headers_of(dead_letter, CLUSTER, replaying=False)
    headers = _as_bytes([*found.own, *found.ours])
    headers = [
        ("dlq.replays", b"%d" % replays) if name == "dlq.replays" else (name, each) for name, each in headers
    ]
    return MemoryRecord((TOPIC, partition), offset, key, value, headers, int(failed_at * 1000))


def mark_record(partition: int, ranges: Sequence[Range], offset: int = 0) -> MemoryRecord:
    """A mark, as it lies in the topic."""
    (record,) = records_of_mark(Mark(partition, ranges))
    record.at = offset
    return record


def records_of_mark(mark: Mark) -> list[MemoryRecord]:
    """A mark's records, as they lie in the topic."""
    millis = int(mark.at * 1000)
    return [
        MemoryRecord((TOPIC, mark.partition), 0, None, None, _as_bytes(headers), millis)
        for headers in headers_of_mark(mark)
    ]


def read(record: Record) -> DeadLetter:
    """Read a record as a dead letter."""
    dead_letter = read_dead_letter(record, CLUSTER)
    assert dead_letter is not None
    return dead_letter


def _as_bytes(headers: Sequence[tuple[str, str | bytes | None]]) -> RecordHeaders:
    return [(name, each.encode() if isinstance(each, str) else each) for name, each in headers]


class MemoryTopic:
    """A dead-letter topic in memory. It replaces both `DeadLetterReader` and `ResolvedMarks`.

    Attributes:
        logs: the records of each partition.
        failures: how many of the next writes of marks fail.
    """

    topic = TOPIC
    cluster_id = CLUSTER

    def __init__(self, partitions: int = 1) -> None:
        self.logs: list[list[MemoryRecord]] = [[] for _ in range(partitions)]
        self.failures = 0

    def append(self, record: MemoryRecord, partition: int = 0) -> int:
        """Append a record; returns its offset."""
        log = self.logs[partition]
        record.of, record.at = (TOPIC, partition), len(log)
        log.append(record)
        return record.at

    def survey(self) -> MemorySurvey:
        """The result of a first scan."""
        return MemorySurvey(self)

    def scan(self, survey: MemorySurvey, timeout: float) -> MemoryScan:
        return MemoryScan(self, survey.bounds)

    async def write(self, marks: Sequence[Mark]) -> None:
        if self.failures:
            self.failures -= 1
            raise CommitFailed("the broker is not available")
        for mark in marks:
            for record in records_of_mark(mark):
                self.append(record, mark.partition)

    def close(self) -> None:
        pass


class MemorySurvey:
    """Replaces `reader.Survey`."""

    def __init__(self, topic: MemoryTopic) -> None:
        self.bounds = {number: (0, len(log)) for number, log in enumerate(topic.logs)}
        self.index, self.resolutions = Index(self.bounds), Resolutions(self.bounds)
        for log in topic.logs:
            for record in log:
                mark = self.index.add(record)
                if mark is not None:
                    self.resolutions.add(mark)
        self.index.finish()


class MemoryScan:
    """Replaces the scan of a Kafka topic."""

    def __init__(self, topic: MemoryTopic, bounds: Mapping[int, tuple[int, int]]) -> None:
        self._records: list[Record] = [
            record for number, (_, end) in bounds.items() for record in topic.logs[number][:end]
        ]
        self._bounds = bounds
        self.total = sum(end for _, end in bounds.values())
        self.left = {number for number, (_, end) in bounds.items() if end}

    def take(self, limit: int) -> Piece:
        piece = Piece(self._records[:limit])
        self._records = self._records[limit:]
        piece.positions = {each.partition(): each.offset() + 1 for each in piece.records}
        self.left -= {number for number, at in piece.positions.items() if at == self._bounds[number][1]}
        return piece

    def skip_the_rest(self) -> dict[int, int]:
        self.left.clear()
        return {number: end for number, (_, end) in self._bounds.items()}
