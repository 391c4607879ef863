"""Safe access to the headers and timestamp of a record, for which the Kafka client's methods are not enough.

The methods for topic, partition, offset, key and value are safe for any bytes. `==` of two messages is not: it compares
keys and headers, and raises an exception if one has none. So records are compared by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import Protocol, cast

from worker.core.reasons import Rejected, Stage
from worker.core.records import Record

RecordHeaders = list[tuple[str, bytes | None]]

NO_HEADERS: RecordHeaders = []
"""The headers of a record without any. Never changed."""

UNREADABLE: RecordHeaders = []
"""The headers of a record of which one has a name that is not UTF-8. Always empty; compared by identity."""

_HEADERS: Callable[[Record], RecordHeaders | None] = methodcaller("headers")
"""Calls the method through C code, which checks for an exception that is set although a value was returned. A direct
call `record.headers()` may be specialised to an instruction that does not check (CALL_METHOD_DESCRIPTOR_NOARGS in
CPython 3.11 to 3.14)."""


class _Settable(Protocol):
    def set_headers(self, headers: RecordHeaders) -> None: ...


def read_headers(record: Record) -> RecordHeaders:
    """A record's headers as names and values, in order. All code must read headers through this function.

    If a name is not UTF-8, the first call of `confluent_kafka.Message.headers` returns a list whose items crash the
    process when accessed, with an exception set, so that Python raises SystemError. A second call would return the same
    list without an exception. So after the first call the message's headers are replaced. The first call for a record
    must not run in two threads at the same time.

    Returns:
        The headers; `UNREADABLE` if the client cannot decode them.
    """
    try:
        headers = _HEADERS(record)
    except SystemError:
        cast("_Settable", record).set_headers(UNREADABLE)
        return UNREADABLE
    return [] if headers is None else headers


def readable_headers(record: Record) -> RecordHeaders:
    """Like `read_headers`, for a rule or mapper that needs them.

    Raises:
        Rejected: `UNREADABLE_HEADERS`.
    """
    headers = read_headers(record)
    if headers is UNREADABLE:
        refuse_headers()
    return headers


def refuse_headers() -> None:
    """Reject a record whose headers are needed and cannot be read.

    Raises:
        Rejected: `UNREADABLE_HEADERS`, always.
    """
    raise Rejected(Stage.MAP, "UNREADABLE_HEADERS", "A header's name is not UTF-8, so no header can be read.")


def record_millis(record: Record) -> int | None:
    """A record's timestamp in epoch milliseconds; None if it has none.

    Any negative time counts as none: Kafka uses -1 for it, with either type of timestamp.
    """
    kind, millis = record.timestamp()
    return millis if kind and millis >= 0 else None
