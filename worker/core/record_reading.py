"""What of a record cannot be taken as Kafka's client gives it: headers that it fails on, times that are none.

Everything else of a record (topic, partition, offset, key, value) is what the client's methods return, whatever the
record's bytes. Comparing two records is not: `==` compares keys and headers, and fails where one has none. Records
are told apart by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import Protocol, cast

from worker.core.reasons import Rejected, Stage
from worker.core.records import Record

RecordHeaders = list[tuple[str, bytes | None]]

UNREADABLE: RecordHeaders = []
"""This very list, always empty, stands for the headers of a record that has one whose name is not UTF-8."""


_HEADERS: Callable[[Record], RecordHeaders | None] = methodcaller("headers")
"""Calls the method in C, where Python checks what comes back. `record.headers()` often executed becomes an instruction
that does not check (CALL_METHOD_DESCRIPTOR_NOARGS of CPython 3.11 to 3.14)."""


class _Settable(Protocol):
    def set_headers(self, headers: RecordHeaders) -> None: ...


def read_headers(record: Record) -> RecordHeaders:
    """A record's headers, in order: names and values. Every reader of headers calls this and nothing else.

    For a name that is not UTF-8 `confluent_kafka.Message.headers` returns a list whose items crash the process when
    they are touched, and leaves an exception set, which makes Python raise SystemError. The second call returns that
    list and leaves no exception, so what the message holds is replaced before anyone can make it. The first call for a
    record must not run in two threads at a time.

    Returns:
        `UNREADABLE` if the client cannot decode them.
    """
    try:
        headers = _HEADERS(record)
    except SystemError:
        cast("_Settable", record).set_headers(UNREADABLE)
        return UNREADABLE
    return [] if headers is None else headers


def readable_headers(record: Record) -> RecordHeaders:
    """As `read_headers`, for a rule or mapper that needs them.

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
    """A record's timestamp in epoch milliseconds; None if it has none, which any time below 0 means, too.

    Kafka itself writes -1 for none, under either kind of timestamp.
    """
    kind, millis = record.timestamp()
    return millis if kind and millis >= 0 else None
