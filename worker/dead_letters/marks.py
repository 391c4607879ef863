"""Marks: records of the dead-letter topic that resolve dead letters, or make resolved ones wait again.

A mark has neither key nor value. Its header `dlq.resolved`, or `dlq.unresolved` for the opposite, names dead letters as
`3:0-17,19,40-44`: a partition of the dead-letter topic, then offsets in it. It lies in that partition, so marks and the
dead letters that they name are read in the order in which they were written, and the last mark counts.

Anyone may write to the topic, so marks are untrusted input, as the other headers are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from worker.core.record_reading import read_headers, record_millis
from worker.dead_letters.headers import TOPIC, HeaderReader, Headers, Range, bounded_number, clamped_seconds

if TYPE_CHECKING:
    from worker.core.records import Record

RESOLVED, UNRESOLVED = "dlq.resolved", "dlq.unresolved"
RESOLVED_BY, RESOLVED_HOW, NOTE = "dlq.resolved_by", "dlq.resolved_how", "dlq.note"

RANGES_PER_MARK = 200
"""Ranges in one mark. A range usually takes 20 bytes, so a mark takes about 4 kB: small enough for any topic."""

MAX_NOTE_CHARS = 1000
"""The length at which a note is cut, so that a mark fits into any topic."""


class How(StrEnum):
    """How a dead letter was resolved."""

    SENT = "sent by a replay"  # delivered, or it failed again and has a newer one
    IGNORED = "ignored by the mapping in a replay"
    REPLACED = "replaced by a newer dead letter"
    BY_HAND = "by hand"


class Mark(NamedTuple):
    """What a mark says.

    Attributes:
        partition: of the dead-letter topic.
        ranges: offsets of dead letters in it.
        resolves: False for the opposite mark: they wait again.
        who: the operator, as `user@host`; empty if unknown.
        how: one of `How`; empty if unknown.
        note: the operator's own words.
        at: when it was written, epoch seconds.
    """

    partition: int
    ranges: Sequence[Range]
    resolves: bool = True
    who: str = ""
    how: str = ""
    note: str = ""
    at: float = 0.0

    def names(self, partition: int, offset: int) -> bool:
        """Whether it names the dead letter at this position."""
        return partition == self.partition and any(first <= offset <= last for first, last in self.ranges)


def headers_of_mark(mark: Mark) -> Iterator[Headers]:
    """The headers of each record to be written for a mark: one for every `RANGES_PER_MARK` ranges."""
    texts = {RESOLVED_BY: mark.who, RESOLVED_HOW: mark.how, NOTE: mark.note[:MAX_NOTE_CHARS]}
    facts: Headers = [
        (name, text.encode("utf-8", "backslashreplace")) for name, text in texts.items() if text
    ]
    name = RESOLVED if mark.resolves else UNRESOLVED
    written = [str(first) if first == last else f"{first}-{last}" for first, last in mark.ranges]
    for at in range(0, len(written), RANGES_PER_MARK):
        part = ",".join(written[at : at + RANGES_PER_MARK])
        yield [(name, f"{mark.partition}:{part}".encode()), *facts]


def read_mark(record: Record) -> Mark | None:
    """Read a record of the topic as a mark; None if it is not a valid one.

    A record with Kafka Connect's `topic` header is a dead letter: its source record may bring headers of these names.
    """
    headers = HeaderReader(read_headers(record))
    name = next((each for each in (RESOLVED, UNRESOLVED) if each in headers), None)
    if name is None or TOPIC in headers:
        return None
    written, _, ranges = headers.raw(name).partition(b":")
    partition = bounded_number(written)
    # At most `RANGES_PER_MARK` splits: the rest of a larger mark is not a valid range, and so the mark is invalid.
    parsed = [_range(each) for each in ranges.split(b",", RANGES_PER_MARK)]
    valid = [each for each in parsed if each is not None]
    if partition is None or len(valid) < len(parsed):
        return None
    who, how, note = (headers.text(each) or "" for each in (RESOLVED_BY, RESOLVED_HOW, NOTE))
    at = clamped_seconds((record_millis(record) or 0) / 1000)
    return Mark(partition, valid, name == RESOLVED, who, how, note, at)


def _range(written: bytes) -> Range | None:
    first_text, dash, last_text = written.partition(b"-")
    first = bounded_number(first_text)
    last = bounded_number(last_text) if dash else first
    return None if first is None or last is None or last < first else (first, last)
