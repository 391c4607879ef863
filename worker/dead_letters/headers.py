"""The headers of a dead letter: where its record came from, and why it could not be delivered.

Only this module and `marks` write or read them. Names that Kafka Connect's dead-letter queues have too
(`__connect.errors.*`) are used where they exist, so that tools for Connect can read them; the rest are the worker's own
(`dlq.*`). They contain no data of the record and no ids of people.

Anyone may write to the topic, so headers are untrusted input: `HeaderReader` returns only bounded, printable text, and
numbers and times within their range.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from worker.core.printable import printable
from worker.core.reasons import Stage
from worker.core.record_reading import UNREADABLE, RecordHeaders, read_headers, record_millis
from worker.core.timestamps import from_millis
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.core.records import Record
    from worker.dead_letters.failed_record import FailedRecord

Headers = list[tuple[str, str | bytes | None]]

CONNECT_PREFIX = "__connect.errors."
TOPIC, PARTITION, OFFSET = f"{CONNECT_PREFIX}topic", f"{CONNECT_PREFIX}partition", f"{CONNECT_PREFIX}offset"
CONNECT_STAGE = f"{CONNECT_PREFIX}stage"
EXCEPTION_CLASS = f"{CONNECT_PREFIX}exception.class.name"
EXCEPTION_MESSAGE = f"{CONNECT_PREFIX}exception.message"

OWN_PREFIX = "dlq."
LEFT_OUT = "dlq.left_out"
"""Names the parts that the dead letter was written without."""

PARTS = ("optional", "key", "headers", "value")
"""What may be left out: the headers in `OPTIONAL`, and parts of the source record."""

VALUE_BYTES = "dlq.value_bytes"
"""The size in bytes of a value that was left out."""

ORIGIN = (TOPIC, PARTITION, OFFSET, "dlq.timestamp", "dlq.cluster_id")
"""Identify the source record. If a replayed dead letter fails again, its new dead letter keeps these."""

OPTIONAL = frozenset({CONNECT_STAGE, EXCEPTION_CLASS, EXCEPTION_MESSAGE, "dlq.errors", "dlq.rule"})
"""Dropped first if a dead letter is too large: texts for people. Replays and filters need the others."""

_BLOCK = (CONNECT_STAGE, EXCEPTION_CLASS, EXCEPTION_MESSAGE)
"""The worker's headers begin with these three, followed by `dlq.stage`; if the dead letter was too large they are left
out, and the block begins with `dlq.stage`."""

_CONNECT_STAGES = {
    Stage.DECODE: "VALUE_CONVERTER",
    Stage.MAP: "TRANSFORMATION",
    Stage.VALIDATE: "TRANSFORMATION",
    Stage.DELIVER: "TASK_PUT",
}
"""Kafka Connect's name for each of the worker's stages (`org.apache.kafka.connect.runtime.errors.Stage`)."""

MAX_TEXT_CHARS = 1000
"""The length at which a header's text is cut for display; no text that the worker writes is longer."""

MAX_CODE_CHARS = 64
"""The length at which a reason or stage is cut: `Reject` allows codes of at most 64 characters."""

MAX_NUMBER = 2**63 - 1
"""Kafka's offsets, partitions and timestamps are signed integers of at most 64 bits."""

MAX_SECONDS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""The last second that RFC 3339 can express. Producers that write microseconds as milliseconds exceed it."""

_SAFE_OF_CONNECT = frozenset({TOPIC, PARTITION, OFFSET, CONNECT_STAGE, EXCEPTION_CLASS})
"""Headers written by Kafka Connect that never quote a record."""

_SAFE = frozenset(
    {*ORIGIN, *OPTIONAL, LEFT_OUT, VALUE_BYTES, "dlq.value_sha256", "dlq.stage", "dlq.reason", "dlq.status"}
    | {"dlq.call_index", "dlq.attempts", "dlq.replays", "dlq.failed_at", "dlq.worker_version"}
)
"""Headers written by this module, which never quotes a record."""

Range = tuple[int, int]
"""First and last offset, both included."""


# Writing


class DeadLetterHeaders(NamedTuple):
    """The headers of a dead letter to be written.

    Attributes:
        own: those of the source record, unchanged.
        ours: those that the worker adds.
    """

    own: Headers
    ours: Headers

    def without(self, *parts: str) -> Headers:
        """The headers that the worker adds, if the optional ones and these parts of the record are left out."""
        missing = {"optional", *parts}
        kept: Headers = []
        for name, value in self.ours:
            if name == LEFT_OUT and isinstance(value, bytes):
                missing |= set(value.decode().split())
            elif name not in OPTIONAL:
                kept.append((name, value))
        return [*kept, (LEFT_OUT, " ".join(part for part in PARTS if part in missing).encode())]


def headers_of(failed: FailedRecord, cluster_id: str, *, replaying: bool) -> DeadLetterHeaders:
    """All headers of a dead letter.

    Args:
        failed: the record, and why it failed.
        cluster_id: the cluster that the record was consumed from.
        replaying: whether the record is itself a dead letter that failed again: the new one keeps the original
            coordinates, and `dlq.replays` increases by one.
    """
    existing = read_headers(failed.record)
    # The source record's own headers. If it is consumed live it keeps Kafka Connect's headers, because its topic may be
    # the dead-letter queue of a connector.
    live = [header for header in existing if not header[0].startswith(OWN_PREFIX)]
    own: Headers = [*(own_headers(existing) if replaying else live)]
    ours = {**dict(_facts(failed)), **_origin(failed.record, cluster_id), "dlq.replays": "0"}
    left_out_before = False
    # The original coordinates and the count survive any number of replays.
    if replaying:
        earlier = HeaderReader(existing)
        ours |= {name: value for name in ORIGIN if (value := earlier.unbounded(name)) is not None}
        ours["dlq.replays"] = str((earlier.number("dlq.replays") or 0) + 1)
        left_out_before = "headers" in earlier.left_out
    if existing is UNREADABLE or left_out_before:
        ours[LEFT_OUT] = "headers"
    return DeadLetterHeaders(own, [(name, _encoded(value)) for name, value in ours.items()])


def with_replay_counted(record: Record) -> Headers:
    """The headers of a dead letter that failed again, unchanged but for `dlq.replays`.

    With these it is hardly larger than before, so the topic, which accepted it once, accepts it again.
    """
    existing = read_headers(record)
    replays = HeaderReader(existing).number("dlq.replays") or 0
    return [
        *((name, value) for name, value in existing if name != "dlq.replays"),
        ("dlq.replays", str(replays + 1).encode()),
    ]


def digest(value: bytes | None) -> Headers:
    """The size and hash of a value that is left out."""
    value = value or b""
    return [
        (VALUE_BYTES, str(len(value)).encode()),
        ("dlq.value_sha256", hashlib.sha256(value).hexdigest().encode()),
    ]


def _origin(record: Record, cluster_id: str) -> dict[str, str]:
    millis = record_millis(record)
    time = -1 if millis is None else millis
    values = (record.topic(), record.partition(), record.offset(), time, cluster_id)
    return {name: str(value) for name, value in zip(ORIGIN, values, strict=True)}


def _facts(failed: FailedRecord) -> Iterator[tuple[str, str]]:
    yield CONNECT_STAGE, _CONNECT_STAGES[failed.stage]
    yield EXCEPTION_CLASS, "worker.core.reasons.Rejected"
    yield EXCEPTION_MESSAGE, f"{failed.reason}: {failed.detail}"
    yield "dlq.stage", failed.stage.value
    yield "dlq.reason", failed.reason
    if failed.status is not None:
        yield "dlq.status", str(failed.status)
    if failed.errors:
        yield "dlq.errors", json.dumps(failed.errors, ensure_ascii=False)
    if failed.call_index is not None:
        yield "dlq.call_index", str(failed.call_index)
    if failed.rule is not None:
        yield "dlq.rule", failed.rule
    yield "dlq.attempts", str(failed.attempts)
    yield "dlq.failed_at", from_millis(int(failed.failed_at * 1000))
    yield "dlq.worker_version", __version__


def _encoded(text: str) -> bytes:
    """As UTF-8, with lone surrogates escaped: Python decodes file names that are not UTF-8 to such text."""
    return text.encode("utf-8", "backslashreplace")


# Reading


class Fact(NamedTuple):
    """A header about the failure.

    Attributes:
        name: the header's name.
        text: its value.
        safe: whether it never contains data of the record. Kafka Connect's messages and stack traces may quote it.
    """

    name: str
    text: str
    safe: bool


class HeaderReader:
    """A dead letter's headers by name. Of a repeated name the last counts: a source record's headers come first."""

    __slots__ = ("_headers",)

    def __init__(self, headers: RecordHeaders) -> None:
        self._headers: Mapping[str, bytes | None] = dict(headers)

    def __contains__(self, name: str) -> bool:
        return name in self._headers

    def raw(self, name: str) -> bytes:
        """The exact bytes; empty if the header is missing."""
        return self._headers.get(name) or b""

    def unbounded(self, name: str) -> str | None:
        """The whole text, to be written again."""
        value = self._headers.get(name)
        return None if value is None else value.decode(errors="replace")

    def text(self, name: str, limit: int = MAX_TEXT_CHARS) -> str | None:
        """Printable text of at most `limit` characters."""
        value = self._headers.get(name)
        # A character takes at most four bytes in UTF-8; cutting the bytes first avoids decoding a megabyte.
        return None if value is None else printable(value[: 4 * limit].decode(errors="replace")[:limit])

    def code(self, name: str) -> str | None:
        """A short text, such as a reason or a stage."""
        return self.text(name, MAX_CODE_CHARS)

    def number(self, name: str) -> int | None:
        """An integer from 0 to `MAX_NUMBER`; None for anything else."""
        return bounded_number(self.raw(name))

    def millis(self, name: str) -> int | None:
        """Epoch milliseconds; -1 if the record had no timestamp; None if the header is not a timestamp."""
        return -1 if self.raw(name) == b"-1" else self.number(name)

    def seconds(self, name: str) -> float | None:
        """The epoch seconds of an RFC 3339 time, clamped to the years 1970 to 9999; None if it is not one."""
        try:
            moment = datetime.fromisoformat(self.text(name) or "")
            return clamped_seconds(moment.timestamp())
        except (ValueError, OverflowError):
            return None

    @property
    def left_out(self) -> frozenset[str]:
        """The parts that the dead letter was written without."""
        return frozenset((self.text(LEFT_OUT) or "").split())

    def facts(self) -> list[Fact]:
        """The headers about the failure, with printable names and texts."""
        safe = _SAFE if "dlq.stage" in self else _SAFE_OF_CONNECT
        return [
            Fact(printable(name[:MAX_TEXT_CHARS]), self.text(name) or "", safe=name in safe)
            for name in self._headers
            if name.startswith((OWN_PREFIX, CONNECT_PREFIX))
        ]


def own_headers(headers: RecordHeaders) -> RecordHeaders:
    """The source record's own headers, without those that were added to the dead letter.

    The worker appends its headers as one block. Kafka Connect's headers before that block belong to the source record,
    which was consumed from a connector's dead-letter queue. In a dead letter that Connect wrote there is no such block,
    and all of Connect's headers are removed.
    """
    names = [name for name, _ in headers]
    if "dlq.stage" not in names:
        return [header for header in headers if not header[0].startswith((OWN_PREFIX, CONNECT_PREFIX))]
    # The block begins at `dlq.stage`, or with the three optional headers before it.
    begin = names.index("dlq.stage")
    if tuple(names[max(0, begin - 3) : begin]) == _BLOCK:
        begin -= 3
    return headers[:begin]


def clamped_seconds(seconds: float) -> float:
    """Epoch seconds, clamped to the years 1970 to 9999."""
    return min(max(seconds, 0.0), MAX_SECONDS)


def bounded_number(written: bytes) -> int | None:
    """An integer from 0 to `MAX_NUMBER`, in digits; None for anything else."""
    if len(written) > len(str(MAX_NUMBER)) or not written.isdigit():
        return None
    number = int(written)
    return number if number <= MAX_NUMBER else None
