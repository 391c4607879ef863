"""Protobuf's times, dates and durations as text: RFC 3339, or ISO 8601 where that has no form."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from worker.formats.protobuf.refusals import refuse

_NANOS = 1_000_000_000
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, what `google.protobuf.Timestamp` may hold (timestamp.proto)."""
_LONGEST = 315_576_000_000
"""Seconds, about 10,000 years: what `google.protobuf.Duration` may hold (duration.proto)."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC
_NO_TIMESTAMP = "A google.protobuf.Timestamp is not within the years 1 to 9999."


def timestamp(message: Any) -> str:
    """A `google.protobuf.Timestamp`, such as `2026-11-21T10:00:00.250Z`."""
    nanos = message.nanos
    if not nanos:
        return f"{_second(message.seconds)}Z"
    if not 0 < nanos < _NANOS:
        refuse(_NO_TIMESTAMP)
    return f"{_second(message.seconds)}{_fraction(nanos)}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    """A second since 1970 as text. It is kept, because the events of a topic are often of the same seconds."""
    if not _EARLIEST <= seconds <= _LATEST:
        refuse(_NO_TIMESTAMP)
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


def _fraction(nanos: int) -> str:
    """Decimals of a second: 3, 6 or 9 of them, as Protobuf's JSON has them; none for a whole second."""
    if not nanos:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03}"
    return f".{nanos // 1000:06}" if nanos % 1000 == 0 else f".{nanos:09}"


def duration(message: Any) -> str:
    """A `google.protobuf.Duration` as a duration of ISO 8601 in seconds, such as `PT90.500S`."""
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _LONGEST or abs(nanos) >= _NANOS or seconds * nanos < 0:
        refuse("A google.protobuf.Duration is not within 10,000 years.")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}PT{abs(seconds)}{_fraction(abs(nanos))}S"


def civil_date(message: Any) -> str | None:
    """A `google.type.Date`: `2026-11-21`; `2026-11` and `2026` without the rest, `--11-21` without a year."""
    year, month, day = message.year, message.month, message.day
    if not (year or month or day):
        return None
    try:
        # A leap year stands in for the year, January for the month that is left out.
        date(year or 2000, month or 1, day or 1)
        if (not month and day) or (not year and not day):
            raise ValueError  # noqa: TRY301 - a day without a month, or a month alone
    except (ValueError, OverflowError):
        refuse("A google.type.Date is not a date.")
    if not year:
        return f"--{month:02}-{day:02}"
    return f"{year:04}" + (f"-{month:02}" if month else "") + (f"-{day:02}" if day else "")


def time_of_day(message: Any) -> str:
    """A `google.type.TimeOfDay`, such as `23:59:00`."""
    hours, minutes, seconds, nanos = message.hours, message.minutes, message.seconds, message.nanos
    valid = 0 <= hours <= 24 and 0 <= minutes < 60 and 0 <= seconds <= 60 and 0 <= nanos < _NANOS
    if not valid:
        refuse("A google.type.TimeOfDay is not a time.")
    return f"{hours:02}:{minutes:02}:{seconds:02}{_fraction(nanos)}"


def civil_datetime(message: Any) -> str:
    """A `google.type.DateTime`: with its offset, or that of its zone; a local time where it has neither."""
    try:
        moment = datetime(  # noqa: DTZ001 - the offset follows, if it has one
            message.year or 1, message.month, message.day, message.hours, message.minutes, message.seconds
        )
        offset = _offset(message, moment)
    except (ValueError, OverflowError, OSError, KeyError):
        refuse("A google.type.DateTime is not a time.")
    nanos = message.nanos
    if not message.year or not 0 <= nanos < _NANOS:
        refuse("A google.type.DateTime is not a time, or has no year.")
    return f"{moment.isoformat()}{_fraction(nanos)}{offset}"


def _offset(message: Any, moment: datetime) -> str:
    kind = message.WhichOneof("time_offset")
    if kind is None:
        return ""
    if kind == "utc_offset":
        offset = timedelta(seconds=message.utc_offset.seconds)
    else:
        offset = moment.replace(tzinfo=ZoneInfo(message.time_zone.id)).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    if abs(minutes) >= 24 * 60:
        raise ValueError
    sign = "-" if minutes < 0 else "+"
    return "Z" if not minutes else f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
