"""The record's metadata for expressions (`_kafka`), and its time."""

from __future__ import annotations

from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import UNREADABLE, read_headers, record_millis
from worker.core.records import Record
from worker.core.timestamps import from_millis


def kafka_fields(record: Record) -> dict[str, Any]:
    """`_kafka`: topic, partition, offset, timestamp (RFC 3339), key and headers as text, and tombstone.

    Text that is not UTF-8 is null, as is an invalid timestamp; the last value of a repeated header counts. Headers that
    cannot be read at all are null instead of an object: expressions that need them must not be evaluated. A key of
    another format than text is decoded by `Decoding.key`.
    """
    headers = read_headers(record)
    return {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": _time_if_any(record),
        "key": as_text(record.key()),
        "headers": None if headers is UNREADABLE else {name: as_text(value) for name, value in headers},
        "tombstone": record.value() is None,
    }


def _time_if_any(record: Record) -> str | None:
    try:
        return record_time(record)
    except Rejected:
        return None


def as_text(value: bytes | None) -> str | None:
    """Decode UTF-8; None for null and for anything that is not UTF-8."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def record_time(record: Record) -> str | None:
    """The record's timestamp in RFC 3339; None if it has none.

    Raises:
        Rejected: `INVALID_TIMESTAMP` if it is outside the years 1 to 9999: producers may send any number.
    """
    millis = record_millis(record)
    if millis is None:
        return None
    try:
        return from_millis(millis)
    except ValueError as error:
        raise Rejected(Stage.VALIDATE, "INVALID_TIMESTAMP", f"The record's timestamp: {error}.") from None
