"""What a mapper gets: a record, decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.core.model import Record
from worker.core.timestamps import from_millis


@dataclass(slots=True)
class Event:
    """A record, decoded, as a mapper gets it.

    Attributes:
        value: the JSON object that the record's value holds; empty for a tombstone.
        key: the record's key; None if it has none, or one that is not UTF-8 text.
        headers: text by name; of a repeated name the last; None for one that is not UTF-8 text.
        topic: where the record lies.
        partition: where in the topic.
        offset: where in the partition.
        timestamp: the record's, RFC 3339 in UTC with milliseconds; 1970 where Kafka has none.
        tombstone: whether the record's value is null.
    """

    value: dict[str, Any]
    key: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    topic: str = ""
    partition: int = 0
    offset: int = 0
    timestamp: str = "1970-01-01T00:00:00.000Z"
    tombstone: bool = False

    @classmethod
    def of(cls, record: Record, value: dict[str, Any]) -> Event:
        """The event of a record whose value has been decoded."""
        headers = {name: _text(header) for name, header in record.headers() or ()}
        timestamp = from_millis(max(record.timestamp()[1], 0))
        place = (record.topic(), record.partition(), record.offset())
        return cls(value, _text(record.key()), headers, *place, timestamp, record.value() is None)


def _text(value: bytes | str | None) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value
