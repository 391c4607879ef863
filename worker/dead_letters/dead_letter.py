"""A dead letter, as it is read from the topic.

Dead letters that Kafka Connect wrote are read too. It writes `__connect.errors.*` as UTF-8 text, no `dlq.*` headers,
and keeps the original record's timestamp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.core.record_reading import UNREADABLE, RecordHeaders, read_headers, record_millis
from worker.dead_letters.headers import (
    CONNECT_STAGE,
    EXCEPTION_CLASS,
    MAX_CODE_CHARS,
    OFFSET,
    ORIGIN,
    PARTITION,
    TOPIC,
    VALUE_BYTES,
    HeaderReader,
    clamped_seconds,
    own_headers,
)
from worker.dead_letters.origins import Place

if TYPE_CHECKING:
    from worker.core.records import Partition, Record
    from worker.dead_letters.headers import Fact

_STAGES = {
    "KEY_CONVERTER": "decode",
    "VALUE_CONVERTER": "decode",
    "HEADER_CONVERTER": "decode",
    "TRANSFORMATION": "map",
    "TASK_PUT": "deliver",
}
"""The worker's stage for each of Kafka Connect's (`org.apache.kafka.connect.runtime.errors.Stage`)."""


class DeadLetter:
    """A record that failed, where it came from, and why it failed.

    Args:
        record: the record in the dead-letter topic.
        headers: its headers.
        cluster_id: the cluster that it was read from; used if the dead letter does not name its own.
    """

    __slots__ = ("_cluster_id", "_headers", "record")

    def __init__(self, record: Record, headers: HeaderReader, cluster_id: str) -> None:
        self.record = record
        self._headers = headers
        self._cluster_id = cluster_id

    @property
    def handle(self) -> str:
        """Its coordinates in the dead-letter topic, in the form that `dlq show` accepts."""
        return f"{self.record.topic()}:{self.record.partition()}:{self.record.offset()}"

    @property
    def place(self) -> Place:
        """Its position in the dead-letter topic, and the time of writing."""
        written = max(record_millis(self.record) or 0, 0) // 1000
        return Place(self.record.partition(), self.record.offset(), min(written, 2**32 - 1))

    @property
    def is_ours(self) -> bool:
        """Whether this worker wrote it; otherwise Kafka Connect did, whose messages may quote the record."""
        return "dlq.stage" in self._headers

    @property
    def topic(self) -> str:
        """The topic that the record came from."""
        return self._headers.text(TOPIC) or ""

    @property
    def origin(self) -> OriginRecord | None:
        """The original record; None if its coordinates are missing or invalid."""
        partition, offset = self._headers.number(PARTITION), self._headers.number(OFFSET)
        if not self.topic or partition is None or offset is None:
            return None
        return OriginRecord(self, (self.topic, partition), offset)

    @property
    def identity(self) -> bytes:
        """Equal for all dead letters of the same source record."""
        return b"\0".join([self._headers.raw(name) for name in ORIGIN])

    @property
    def cluster_id(self) -> str:
        """The cluster that the record was first consumed from: its message ids depend on it."""
        return self._headers.text("dlq.cluster_id") or self._cluster_id

    @property
    def timestamp(self) -> int:
        """The source record's timestamp, epoch milliseconds; -1 if it had none."""
        millis = self._headers.millis("dlq.timestamp")
        if millis is None:
            millis = record_millis(self.record)
        return -1 if millis is None else millis

    @property
    def stage(self) -> str:
        """Where it failed: `decode`, `map`, `validate` or `deliver`."""
        connect_stage = self._headers.code(CONNECT_STAGE) or "unknown"
        return self._headers.code("dlq.stage") or _STAGES.get(connect_stage, connect_stage.lower())

    @property
    def reason(self) -> str:
        """The worker's reason code; for a dead letter of Kafka Connect, the simple name of its exception."""
        exception = self._headers.text(EXCEPTION_CLASS) or ""
        return self._headers.code("dlq.reason") or exception.rpartition(".")[2][:MAX_CODE_CHARS] or "UNKNOWN"

    @property
    def rule(self) -> str:
        """The mapping rule, as `file:line`; empty if the record failed before a rule matched."""
        return self._headers.text("dlq.rule") or ""

    @property
    def replays(self) -> int:
        """How many times it was replayed and failed again."""
        return self._headers.number("dlq.replays") or 0

    @property
    def failed_at(self) -> float:
        """Epoch seconds; for a dead letter of Kafka Connect, the record's timestamp, or 0 if it has none."""
        written = self._headers.seconds("dlq.failed_at")
        return clamped_seconds((record_millis(self.record) or 0) / 1000) if written is None else written

    @property
    def happened_at(self) -> float:
        """The source record's timestamp, epoch seconds; the time of the failure if it has none."""
        return clamped_seconds(self.timestamp / 1000) if self.timestamp > 0 else self.failed_at

    @property
    def has_its_value(self) -> bool:
        """False if the value was left out because it was too large for the dead-letter topic."""
        return VALUE_BYTES not in self._headers

    @property
    def left_out(self) -> frozenset[str]:
        """The parts that were left out: `headers` that cannot be decoded, or parts too large for the topic."""
        return self._headers.left_out

    @property
    def facts(self) -> list[Fact]:
        """Its headers about the failure, from the worker and from Kafka Connect."""
        return self._headers.facts()


class OriginRecord:
    """The source record of a dead letter, as it was consumed. Mappings read it; message ids are computed from it.

    Implements `records.Record`.
    """

    __slots__ = ("_letter", "_offset", "_partition")

    def __init__(self, letter: DeadLetter, partition: Partition, offset: int) -> None:
        self._letter = letter
        self._partition = partition
        self._offset = offset

    def topic(self) -> str:
        """The source topic."""
        return self._partition[0]

    def partition(self) -> int:
        """The source partition."""
        return self._partition[1]

    def offset(self) -> int:
        """The source offset."""
        return self._offset

    def key(self) -> bytes | None:
        """Its key."""
        return self._letter.record.key()

    def value(self) -> bytes | None:
        """Its value."""
        return self._letter.record.value()

    def headers(self) -> RecordHeaders | None:
        """Its own headers, without those added to the dead letter; `UNREADABLE` if they were left out."""
        if "headers" in self._letter.left_out:
            return UNREADABLE
        return own_headers(read_headers(self._letter.record)) or None

    def timestamp(self) -> tuple[int, int]:
        """Its own timestamp, not that of the dead letter."""
        millis = self._letter.timestamp
        return (1, millis) if millis >= 0 else (0, -1)


def read_dead_letter(record: Record, cluster_id: str) -> DeadLetter | None:
    """Read a record of the topic as a dead letter; None if it is a mark or anything else.

    A record with Kafka Connect's `topic` header is a dead letter regardless of its other headers: a source record
    that carries `dlq.resolved` itself must not make its dead letter look like a mark.
    """
    headers = HeaderReader(read_headers(record))
    return DeadLetter(record, headers, cluster_id) if TOPIC in headers else None
