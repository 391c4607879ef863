"""Finds records by coordinates, key or `messageId`, and tells what became of each. Joins no group, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.reader import (
    BROKER_TIMEOUT_SECONDS,
    RECORDS_PER_STEP,
    DeadLetterReader,
)
from worker.core.message_id import MessageIds, coordinates_in
from worker.core.record_reading import record_millis
from worker.core.records import BODY, RECORD
from worker.core.timestamps import from_millis
from worker.mapping.files.topics import matches
from worker.mapping.trying.shown import key_text
from worker.pipeline.ports import SourceFailed
from worker.programs.fetching import explained

if TYPE_CHECKING:
    from worker.adapters.dead_letter_topic.reader import OnProgress
    from worker.adapters.kafka.reader import KafkaReader
    from worker.adapters.kafka.scan import Bounds
    from worker.core.records import Converter, Partition, QueuedCall, Record
    from worker.dead_letters.dead_letter import DeadLetter
    from worker.dead_letters.index import State
    from worker.mapping.explaining import Explanation
    from worker.mapping.mappings import Mappings

PIECE = 10_000
"""Offsets of each partition that are read before older ones: a few megabytes, and a fraction of a second."""

Place = tuple[tuple[str, int], int]
"""A partition, and an offset in it."""

Wanted = Callable[[tuple[str, int], int], bool]
"""Whether the dead letters of the record at a place are searched for."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What became of a record.

    Attributes:
        record: as it was consumed.
        in_topic: whether its topic still has it; otherwise it comes from its dead letter.
        committed: the group's committed offset of its partition; None if there is none.
        explanation: what the current mapping makes of it.
        dead_letter: its newest dead letter, and that one's state; None if it has none.
    """

    record: Record
    in_topic: bool
    committed: int | None
    explanation: Explanation
    dead_letter: tuple[DeadLetter, State] | None

    @property
    def is_finished(self) -> bool:
        """Whether it was delivered, ignored or dead-lettered: the group committed an offset above it."""
        return self.committed is not None and self.record.offset() < self.committed


class Trace:
    """One search.

    Args:
        reader: of the brokers; used by nothing else meanwhile.
        mappings: the current ones.
        dead_letter_topic: where rejected records go.
        on_progress: called with the number of offsets that were read and their total, for each scan.

    Attributes:
        searched: what was searched, a line each.
    """

    def __init__(
        self, reader: KafkaReader, mappings: Mappings, dead_letter_topic: str, on_progress: OnProgress
    ) -> None:
        self._reader = reader
        self._mappings = mappings
        self._ids = MessageIds(reader.cluster_id())
        self._dead_letters = DeadLetterReader(reader, dead_letter_topic)
        self._on_progress = on_progress
        self.searched: list[str] = []
        self._converters: dict[str, Converter] = {}

    def at(self, place: Place) -> list[Traced]:
        """The record at these coordinates."""
        (topic, number), offset = place
        self.searched.append(f"the record at {topic}:{number}:{offset}")
        bounds = self._reader.bounds(topic)
        first, end = bounds.get(number, (0, 0))
        if number not in bounds:
            self.searched.append(f"{topic} has {_count(len(bounds), 'partition')}, numbered from 0")
        elif not first <= offset < end:
            self.searched.append(f"{topic}:{number} has the offsets from {first:,} up to {end:,}")
        found = self._reader.record(*place) if first <= offset < end else None
        return self._traced([found] if found else [], lambda partition, at: (partition, at) == place)

    def by_key(self, topic: str, key: bytes, since: int, limit: int) -> list[Traced]:
        """The newest records with this key, newest first.

        Args:
            topic: to search, all partitions: a producer may choose any.
            key: the record's key; decoded, if the topic's keys are in a format with schemas.
            since: epoch milliseconds; older records are not read.
            limit: how many to find.
        """
        found: list[Record] = []
        for piece in self._backwards(topic, since):
            self._mappings.prepare_keys(topic, piece)
            found += [record for record in piece if key in {record.key(), key_text(self._mappings, record)}]
            if len(found) >= limit:
                self.searched.append(f"no further: {limit:,} were found, the most that --limit allows")
                break
        return self._traced(_newest_first(found)[:limit])

    def by_message_id(self, message_id: str, topic: str | None, since: int) -> list[Traced]:
        """The records that the current mapping makes a call with this `messageId` from.

        The id of a record's coordinates holds its offset, so one record of each partition is enough. An id of the
        event's own id (`messageId:` in the mapping) does not: then all records since a time are mapped.

        Args:
            message_id: as Customer.io shows it.
            topic: to search; None for every topic that a mapping file names.
            since: epoch milliseconds, for an id that holds no offset.
        """
        coordinates = coordinates_in(message_id)
        if coordinates is None:
            self.searched.append("nothing: ids of this worker have 26 characters, digits and capital letters")
            return []
        millis, offset, _ = coordinates
        topics = [topic] if topic else self._mapped_topics()
        found = [
            record
            for each in topics
            for record in self._at_offset(each, offset)
            if max(record_millis(record) or 0, 0) == millis and self._makes(record, message_id)
        ]
        traced = self._traced(found, lambda partition, at: at == offset and partition[0] in topics)
        traced = [each for each in traced if _has_id(each.explanation, message_id)]
        if traced:
            return traced
        return self._traced(
            _newest_first(
                [
                    record
                    for each in topics
                    for piece in self._backwards(each, since)
                    for record in self._that_make(each, piece, message_id)
                ]
            )
        )

    def _mapped_topics(self) -> list[str]:
        """The topics that exist and that a mapping file names."""
        names = self._mappings.subscriptions
        return [topic for topic in self._reader.topics() if any(matches(name, topic) for name in names)]

    # Reading

    def _at_offset(self, topic: str, offset: int) -> list[Record]:
        """The record at this offset in each partition that has one."""
        bounds = {
            number: (offset, offset + 1)
            for number, (first, end) in self._reader.bounds(topic).items()
            if first <= offset < end
        }
        self.searched.append(
            f"{topic}: offset {offset:,}, which {_count(len(bounds), 'partition')} of it have"
        )
        return self._scanned(topic, bounds)

    def _backwards(self, topic: str, since: int) -> Iterator[list[Record]]:
        """The records since a time, the newest pieces first."""
        bounds = self._reader.bounds_since(topic, since)
        left = {number: (first, end) for number, (first, end) in bounds.items() if first < end}
        total, read, oldest = sum(end - first for first, end in left.values()), 0, None
        partitions = len(bounds)
        try:
            while left:
                piece = {number: (max(first, end - PIECE), end) for number, (first, end) in left.items()}
                records = self._scanned(topic, piece)
                read += sum(end - first for first, end in piece.values())
                self._on_progress(read, total)
                oldest = _oldest(records, oldest)
                yield records
                left = {
                    number: (bounds[number][0], first)
                    for number, (first, _) in piece.items()
                    if bounds[number][0] < first
                }
        finally:
            self.searched.append(
                f"{topic}: {_count(read, 'offset')} of {_count(partitions, 'partition')}{_back_to(oldest)}"
            )

    def _scanned(self, topic: str, bounds: Bounds) -> list[Record]:
        scan = self._reader.scan(topic, bounds, BROKER_TIMEOUT_SECONDS)
        records: list[Record] = []
        while scan.left:
            records += scan.take(RECORDS_PER_STEP).records
        return records

    # Mapping

    def _makes(self, record: Record, message_id: str) -> bool:
        return _has_id(explained(self._mappings, record, self._ids), message_id)

    def _that_make(self, topic: str, records: list[Record], message_id: str) -> list[Record]:
        """Those of the records that become a call with this id."""
        convert = self._converter(topic)
        part = f'"messageId":"{message_id}"'.encode()
        calls: list[QueuedCall] = []
        self._mappings.prepare(topic, records)
        for record in records:
            convert([record], calls, [])
        return [call[RECORD] for call in calls if part in call[BODY]]

    def _converter(self, topic: str) -> Converter:
        if topic not in self._converters:
            converter = self._mappings.converter(topic, self._ids)
            assert converter is not None, "only mapped topics are searched"
            self._converters[topic] = converter
        return self._converters[topic]

    def _traced(self, records: list[Record], wanted: Wanted | None = None) -> list[Traced]:
        """What became of these records, and of the wanted ones that only the dead-letter topic still has."""
        places = {_place(record) for record in records}
        dead_letters = self._find_dead_letters(wanted or (lambda *place: place in places))
        deleted = [
            origin
            for place, (dead_letter, _) in dead_letters.items()
            if place not in places and (origin := dead_letter.origin) is not None
        ]
        committed = self._committed([*records, *deleted])
        return [
            Traced(
                record,
                _place(record) in places,
                committed.get(_place(record)[0]),
                self._explain(record, dead_letters.get(_place(record))),
                dead_letters.get(_place(record)),
            )
            for record in [*records, *deleted]
        ]

    def _explain(self, record: Record, found: tuple[DeadLetter, State] | None) -> Explanation:
        ids = self._ids if found is None else MessageIds(found[0].cluster_id)
        return explained(self._mappings, record, ids)

    def _find_dead_letters(self, wanted: Wanted) -> Mapping[Place, tuple[DeadLetter, State]]:
        try:
            found = self._dead_letters.newest_where(wanted, self._on_progress)
        except SourceFailed as error:
            self.searched.append(f"no dead letters: {error}")
            return {}
        self.searched.append(f"the dead letters in {self._dead_letters.topic}")
        return found

    def _committed(self, records: list[Record]) -> dict[Partition, int]:
        partitions = {_place(record)[0] for record in records}
        existing = set(self._reader.topics())
        return self._reader.committed(each for each in sorted(partitions) if each[0] in existing)


def _place(record: Record) -> Place:
    return (record.topic(), record.partition()), record.offset()


def _newest_first(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record_millis(record) or 0, record.offset()), reverse=True)


def _has_id(explanation: Explanation, message_id: str) -> bool:
    return any(call.get("messageId") == message_id for call in explanation.calls)


def _oldest(records: list[Record], oldest: int | None) -> int | None:
    times = [millis for record in records if (millis := record_millis(record)) is not None]
    return min([*times, oldest] if oldest is not None else times, default=None)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _back_to(millis: int | None) -> str:
    return "" if millis is None else f", back to {from_millis(millis)}"
