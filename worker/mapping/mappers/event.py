"""The event that a mapper is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from worker.core.record_reading import readable_headers
from worker.core.records import Record
from worker.mapping.kafka_fields import as_text, record_time

_new = object.__new__
_NO_TIME = "1970-01-01T00:00:00.000Z"


def _key(record: Record) -> str | None:
    return as_text(record.key())


class _OfRecord:
    """Holds the record from which an event's attributes are read when needed, and what decodes its key."""

    __slots__ = ("_key_of", "_record")
    _key_of: Callable[[Record], Any]
    _record: Record


@dataclass(slots=True)
class Event(_OfRecord):
    """A decoded record, as a mapper receives it.

    Attributes:
        value: the JSON object in the record's value; empty for a tombstone. In an envelope it is the event as rules
            see it, with `_change` or `_ce` as one more key.
        key: the record's key as `_kafka.key` has it: text, or what the mapping's `key_format` decodes it to; None if
            there is none, or if it is not UTF-8 text and the mapping names no format.
        headers: text by name; the last value of a repeated name; None for a value that is not UTF-8 text.
        topic: the record's topic.
        partition: its partition.
        offset: its offset in the partition.
        timestamp: the record's timestamp, RFC 3339 in UTC with milliseconds; 1970 if it has none.
        tombstone: whether the record's value is null.
    """

    value: dict[str, Any]
    key: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    topic: str = ""
    partition: int = 0
    offset: int = 0
    timestamp: str = _NO_TIME
    tombstone: bool = False

    @classmethod
    def of(
        cls,
        record: Record,
        value: dict[str, Any],
        key_of: Callable[[Record], Any] = _key,
        empty: bool = False,  # noqa: FBT001, FBT002 - on the hot path keyword arguments cost time
    ) -> Event:
        """The event of a record with a decoded value. All other attributes are read on first access.

        Args:
            record: the record.
            value: its event.
            key_of: decodes its key.
            empty: whether its value holds a null, and so counts as a tombstone.
        """
        event = _new(cls)
        event._record = record  # type: ignore[misc]  # noqa: SLF001 - mypy misses the slots of a base class
        event._key_of = key_of  # noqa: SLF001
        event.value = value
        if empty:
            event.tombstone = True
        return event

    if not TYPE_CHECKING:  # otherwise type checkers would accept any attribute name

        def __getattr__(self, name: str) -> Any:
            """Read an attribute on first access: Python calls this for attributes that are not set."""
            if name not in _READ and name != "key":
                raise AttributeError(f"'Event' object has no attribute {name!r}", name=name, obj=self)
            found = self._key_of(self._record) if name == "key" else _READ[name](self._record)
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
    "headers": _headers,
    "tombstone": lambda record: record.value() is None,
    "topic": lambda record: record.topic(),
    "partition": lambda record: record.partition(),
    "offset": lambda record: record.offset(),
    "timestamp": _time,
}
"""How each attribute but `value` and `key` is read from a record."""
