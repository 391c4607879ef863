"""What a mapper gets: a record, decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from worker.core.record_reading import readable_headers
from worker.core.records import Record
from worker.mapping.kafka_fields import record_time

_NO_TIME = "1970-01-01T00:00:00.000Z"


class _OfRecord:
    """Where an event keeps the record that it has not read yet."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record


@dataclass(slots=True)
class Event(_OfRecord):
    """A record, decoded, as a mapper gets it.

    Attributes:
        value: the JSON object that the record's value holds; empty for a tombstone.
        key: the record's key; None if it has none, or one that is not UTF-8 text.
        headers: text by name; of a repeated name the last; None for one that is not UTF-8 text.
        topic: where the record lies.
        partition: where in the topic.
        offset: where in the partition.
        timestamp: the record's, RFC 3339 in UTC with milliseconds; 1970 where it has none.
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
        """The event of a record whose value has been decoded. All else is read when a mapper asks for it."""
        event = cls.__new__(cls)
        _OfRecord.__init__(event, record)
        event.value = value
        return event

    if not TYPE_CHECKING:  # or else type checkers would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            """What was not read yet: Python asks here for attributes that are not set."""
            if name not in _READ:
                raise AttributeError(f"'Event' object has no attribute {name!r}", name=name, obj=self)
            found = _READ[name](self._record)
            setattr(self, name, found)
            return found

    def __reduce__(self) -> tuple[type[Event], tuple[Any, ...]]:
        """A copy has everything, and no record, which cannot be copied."""
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
