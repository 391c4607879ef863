"""The event that a mapper is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from worker.core.record_reading import readable_headers
from worker.core.records import Record
from worker.mapping.kafka_fields import record_time

_NO_TIME = "1970-01-01T00:00:00.000Z"


class _OfRecord:
    """Holds the record from which an event's attributes are read when needed."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record


@dataclass(slots=True)
class Event(_OfRecord):
    """A decoded record, as a mapper receives it.

    Attributes:
        value: the JSON object in the record's value; empty for a tombstone.
        key: the record's key; None if it has none, or if it is not UTF-8 text.
        headers: text by name; the last value of a repeated name; None for a value that is not UTF-8 text.
        topic: the record's topic.
        partition: its partition.
        offset: its offset in the partition.
        timestamp: the record's timestamp, RFC 3339 in UTC with milliseconds; 1970 if it has none.
        tombstone: whether the record's value is null.
    """

    value: dict[str, Any]
    key: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    topic: str = ""
    partition: int = 0
    offset: int = 0
    timestamp: str = _NO_TIME
    tombstone: bool = False

    @classmethod
    def of(cls, record: Record, value: dict[str, Any]) -> Event:
        """The event of a record with a decoded value. All other attributes are read on first access."""
        event = cls.__new__(cls)
        _OfRecord.__init__(event, record)
        event.value = value
        return event

    if not TYPE_CHECKING:  # otherwise type checkers would accept any attribute name

        def __getattr__(self, name: str) -> Any:
            """Read an attribute on first access: Python calls this for attributes that are not set."""
            if name not in _READ:
                raise AttributeError(f"'Event' object has no attribute {name!r}", name=name, obj=self)
            found = _READ[name](self._record)
            setattr(self, name, found)
            return found

    def __reduce__(self) -> tuple[type[Event], tuple[Any, ...]]:
        """A copy has all attributes, but not the record, which cannot be copied."""
        return Event, tuple(getattr(self, each.name) for each in fields(self))


def _text(value: bytes | str | None) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value


def _headers(record: Record) -> dict[str, str | None]:
    """The record's headers.

    Raises:
        Rejected: `UNREADABLE_HEADERS`.
    """
    return {name: _text(value) for name, value in readable_headers(record)}


def _time(record: Record) -> str:
    """The record's timestamp.

    Raises:
        Rejected: `INVALID_TIMESTAMP`, as `record_time`.
    """
    return record_time(record) or _NO_TIME


_READ: dict[str, Callable[[Record], Any]] = {
    "key": lambda record: _text(record.key()),
    "headers": _headers,
    "topic": lambda record: record.topic(),
    "partition": lambda record: record.partition(),
    "offset": lambda record: record.offset(),
    "timestamp": _time,
    "tombstone": lambda record: record.value() is None,
}
"""How each attribute but `value` is read from a record."""
