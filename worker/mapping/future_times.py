"""Replaces a call's time that is later than its Kafka record's by more than `limits.future` with the record's time.

Customer.io orders the updates of a profile by time: once a profile has seen an update of the future, it takes no other
until then (Track API reference, `identify_person.timestamp`; posthog/posthog#55330). Times are compared as text: all
have the format of `timestamps`.
"""

from __future__ import annotations

from worker.core.record_reading import record_millis
from worker.core.records import Record
from worker.core.timestamps import from_millis
from worker.customerio.notices import Notice, OnNotice
from worker.mapping.kafka_fields import record_time

BLOCK = 1024
"""Milliseconds of record timestamps that share one lower bound of the latest time."""

_NEVER = "~"
"""Text that is after every time."""


class FutureTimes:
    """The limit of one mapping.

    Args:
        limit: milliseconds that a time may be ahead of its record's.
        on_notice: called for each time that is replaced.
    """

    def __init__(self, limit: int, on_notice: OnNotice | None = None) -> None:
        self._limit = limit
        self._on_notice = on_notice
        self._bound = (1 << 63, _NEVER)

    def bound(self, record: Record) -> tuple[int, str]:
        """The first of a block of timestamps, and a time that none of the block's records is limited below."""
        _, millis = record.timestamp()
        first = millis & -BLOCK
        return first, _NEVER if record_millis(record) is None else self._latest(first)

    def within(self, time: str, record: Record, rule: str) -> str:
        """The time, or the record's where it is too far ahead. A record without a timestamp limits nothing.

        Args:
            time: of the call.
            record: the record.
            rule: the rule that made the call, as `file:line`.
        """
        first, latest = self._bound
        ahead = record.timestamp()[1] - first
        # The last bound is kept, because computing one takes a microsecond.
        if ahead < 0 or ahead >= BLOCK:
            self._bound = _, latest = self.bound(record)
        if time <= latest:
            return time
        millis = record_millis(record)
        if millis is None:
            return time
        if getattr(record, "made_up_time", False) or time <= self._latest(millis):
            return time
        if self._on_notice is not None:
            self._on_notice(Notice.FUTURE_TIME, rule)
        return record_time(record) or time

    def _latest(self, millis: int) -> str:
        try:
            return from_millis(millis + self._limit)
        except ValueError:  # beyond the year 9999
            return _NEVER
