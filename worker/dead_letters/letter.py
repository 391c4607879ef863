"""A record of the dead-letter topic, read: a letter with its origin, a mark of what is resolved, or neither.

Letters that Kafka Connect wrote are read too: it writes `__connect.errors.*` as UTF-8 text and nothing of ours, so
its letters have no `dlq.*` facts, and the time of the record is their own (Connect keeps the original's).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from worker.core.record_reading import UNREADABLE, RecordHeaders, read_headers, record_millis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.records import Partition, Record

RESOLVED = "dlq.resolved"
"""The header that makes a record a mark: see `marks`."""

RANGES_PER_MARK = 200
"""A mark stays small enough for any topic: 20 bytes a range, as a rule."""

_CONNECT = "__connect.errors."
_TOPIC, _PARTITION, _OFFSET = f"{_CONNECT}topic", f"{_CONNECT}partition", f"{_CONNECT}offset"
_BLOCK = (f"{_CONNECT}stage", f"{_CONNECT}exception.class.name", f"{_CONNECT}exception.message")
"""What our headers begin with, unless the letter was too large for them; `dlq.stage` is next."""

_STAGES = {
    "KEY_CONVERTER": "decode",
    "VALUE_CONVERTER": "decode",
    "HEADER_CONVERTER": "decode",
    "TRANSFORMATION": "map",
    "TASK_PUT": "deliver",
}
"""Kafka Connect's words for where a record failed, in ours."""

Range = tuple[int, int]
"""First and last offset."""


class Letter:
    """A dead letter: what failed, where it came from, and why.

    Args:
        record: as it lies in the dead-letter topic.
        headers: its headers by name; of a repeated name the last, which is the one that was added last.
        cluster_id: of the cluster that it was read from, for letters that do not name theirs.
    """

    __slots__ = ("_cluster_id", "_headers", "record")

    def __init__(self, record: Record, headers: dict[str, bytes | None], cluster_id: str) -> None:
        self.record = record
        self._headers = headers
        self._cluster_id = cluster_id

    @property
    def place(self) -> str:
        """Its own coordinates, as `dlq show` takes them."""
        return f"{self.record.topic()}:{self.record.partition()}:{self.record.offset()}"

    @property
    def is_ours(self) -> bool:
        """Whether this worker wrote it; else Kafka Connect did, whose texts may quote the record."""
        return "dlq.stage" in self._headers

    @property
    def topic(self) -> str:
        """The topic that the record came from."""
        return self.text(_TOPIC) or ""

    @property
    def origin(self) -> OriginRecord | None:
        """The record as it was; None if its coordinates are missing or no numbers."""
        partition, offset = self.number(_PARTITION), self.number(_OFFSET)
        if not self.topic or partition is None or offset is None:
            return None
        return OriginRecord(self, (self.topic, partition), offset)

    @property
    def identity(self) -> bytes:
        """What two letters of the same record have in common."""
        names = ("dlq.cluster_id", _TOPIC, _PARTITION, _OFFSET, "dlq.timestamp")
        return b"\0".join([self._headers.get(name) or b"" for name in names])

    @property
    def cluster_id(self) -> str:
        """Where the record was read first: its message ids are made of it."""
        return self.text("dlq.cluster_id") or self._cluster_id

    @property
    def timestamp(self) -> int:
        """The record's own, epoch milliseconds; -1 if it had none."""
        written = self.text("dlq.timestamp")
        if written and written.removeprefix("-").isdecimal():
            return int(written)
        millis = record_millis(self.record)
        return -1 if millis is None else millis

    @property
    def stage(self) -> str:
        """Where on its road it failed: `decode map validate deliver`."""
        connects = self.text(f"{_CONNECT}stage") or "unknown"
        return self.text("dlq.stage") or _STAGES.get(connects, connects.lower())

    @property
    def reason(self) -> str:
        """Our code; for a letter of Kafka Connect the simple name of its exception."""
        return self.text("dlq.reason") or self._exception().rpartition(".")[2] or "UNKNOWN"

    @property
    def rule(self) -> str:
        """The mapping rule, as `file:line`; "" if none was reached."""
        return self.text("dlq.rule") or ""

    @property
    def replays(self) -> int:
        """How often it was replayed and failed again."""
        return self.number("dlq.replays") or 0

    @property
    def failed_at(self) -> float:
        """Epoch seconds; for a letter of Kafka Connect the record's own time, and 1970 if that has none."""
        try:
            return datetime.fromisoformat(self.text("dlq.failed_at") or "").timestamp()
        except ValueError:
            return (record_millis(self.record) or 0) / 1000

    @property
    def happened_at(self) -> float:
        """When the record was made, epoch seconds; when it failed, if it does not say."""
        return self.timestamp / 1000 if self.timestamp > 0 else self.failed_at

    @property
    def has_its_value(self) -> bool:
        """False if the value was too large for the dead-letter topic and left out."""
        return "dlq.value_bytes" not in self._headers

    @property
    def left_out(self) -> frozenset[str]:
        """What it was written without: `headers` that cannot be read, or what was too large for the topic."""
        return frozenset((self.text("dlq.left_out") or "").split())

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What stands in its headers about the failure: our own and Kafka Connect's."""
        return [
            (name, (value or b"").decode(errors="replace"))
            for name, value in self._headers.items()
            if name.startswith(("dlq.", _CONNECT))
        ]

    def text(self, name: str) -> str | None:
        """A header's value."""
        value = self._headers.get(name)
        return None if value is None else value.decode(errors="replace")

    def number(self, name: str) -> int | None:
        """A header's value, if it is a whole number from 0 on."""
        written = self.text(name) or ""
        return int(written) if written.isascii() and written.isdecimal() else None

    def _exception(self) -> str:
        return self.text(f"{_CONNECT}exception.class.name") or ""


class OriginRecord:
    """The record that a letter is about, as it came: what mappings read and message ids are made of.

    Implements `model.Record`.
    """

    __slots__ = ("_letter", "_offset", "_partition")

    def __init__(self, letter: Letter, partition: Partition, offset: int) -> None:
        self._letter = letter
        self._partition = partition
        self._offset = offset

    def topic(self) -> str:
        """Where it came from."""
        return self._partition[0]

    def partition(self) -> int:
        """Where in the topic."""
        return self._partition[1]

    def offset(self) -> int:
        """Where in the partition."""
        return self._offset

    def key(self) -> bytes | None:
        """Its key."""
        return self._letter.record.key()

    def value(self) -> bytes | None:
        """Its value."""
        return self._letter.record.value()

    def headers(self) -> RecordHeaders | None:
        """Its own headers, without what a dead letter adds; `UNREADABLE` if they were left out of the letter."""
        if "headers" in self._letter.left_out:
            return UNREADABLE
        return own_headers(read_headers(self._letter.record)) or None

    def timestamp(self) -> tuple[int, int]:
        """Its own timestamp, not the letter's."""
        millis = self._letter.timestamp
        return (1, millis) if millis >= 0 else (0, -1)


def read_letter(record: Record, cluster_id: str) -> Letter | None:
    """The letter that a record is; None for a mark, and for whatever else somebody wrote into the topic.

    A record with Kafka Connect's coordinates is a letter whatever else it holds: nobody can hide one by a header.
    """
    headers = dict(read_headers(record))
    return Letter(record, headers, cluster_id) if _TOPIC in headers else None


def own_headers(headers: RecordHeaders) -> RecordHeaders:
    """The headers that a dead letter's record came with.

    Ours stand in one block at the end; a record that was itself read from somebody's dead letters keeps what
    Kafka Connect said of it. Of a letter that Connect wrote, everything of Connect's goes.
    """
    names = [name for name, _ in headers]
    if "dlq.stage" not in names:
        return [header for header in headers if not header[0].startswith(("dlq.", _CONNECT))]
    begin = names.index("dlq.stage")
    if tuple(names[max(0, begin - 3) : begin]) == _BLOCK:
        begin -= 3
    return headers[:begin]


def marks(partition: int, ranges: Sequence[Range]) -> list[bytes]:
    """Values of `dlq.resolved` that say: these letters of a partition need nothing more.

    Written as `3:0-17,19,40-44`: the partition of the dead-letter topic, then offsets in it.
    """
    written = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    pieces = [written[at : at + RANGES_PER_MARK] for at in range(0, len(written), RANGES_PER_MARK)]
    return [f"{partition}:{','.join(piece)}".encode() for piece in pieces]


def read_mark(record: Record) -> tuple[int, list[Range]] | None:
    """The partition and the offsets that a mark names; None if the record is no mark or says nothing sensible."""
    headers = dict(read_headers(record))
    value = headers.get(RESOLVED)
    if value is None or _TOPIC in headers:
        return None
    partition, _, ranges = value.decode(errors="replace").partition(":")
    try:
        return int(partition), [_range(each) for each in ranges.split(",")]
    except ValueError:
        return None


def _range(written: str) -> Range:
    first, _, last = written.partition("-")
    return int(first), int(last or first)
