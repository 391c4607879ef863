"""Times in the format of the API: RFC 3339 in UTC with milliseconds, `2026-11-21T10:00:00.000Z`.

Further digits are truncated, not rounded, so that a time never moves to a later second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECONDS_FROM, MILLIS_FROM, MICROS_FROM, NANOS_FROM = 10**8, 10**11, 10**14, 10**17
"""From which whole numbers on each unit since 1970 is meant. Each first number is a moment in March 1973, and each unit
ends in 5138, so no time of a domain event is read in two ways. Smaller numbers are counts, of days for example."""

MAX_NUMBER = 2**63 - 1
"""The largest number that is a time: nanoseconds as a signed 64-bit integer, in 2262."""

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}):(\d{2})(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)",
    re.ASCII,
)
_LOCAL_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?", re.ASCII)
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SUFFIXES = [f".{millis:03d}Z" for millis in range(1000)]
"""The text after the seconds, for each millisecond."""

LENGTH = len("2026-11-21T10:00:00")
"""The number of characters of a time up to its seconds."""

MILLIS = frozenset(SUFFIXES)
"""The text after the seconds in a time that is sent unchanged."""

ENDS = {"Z": ".000Z", **{suffix: suffix for suffix in SUFFIXES}}
"""The text after the seconds in common formats, and what is sent in its place."""

_MAX_CHECKED = 10_000
"""Texts kept in `SECONDS`: nearly three hours of consecutive seconds, in about 2 MB."""

SECONDS: dict[str, str] = {}
"""Texts of dates and times that were found to be valid: those of neighbouring records are often the same."""


class _Last:
    """The last second that was formatted, as number and text in one tuple, replaced atomically for other threads."""

    known: tuple[int, str] | None = None


def rfc3339(value: object) -> str:
    """A time in UTC with milliseconds, from RFC 3339 text with any offset or a whole number since 1970.

    Raises:
        ValueError: it is anything else, or a date that does not exist, or outside the years 1 to 9999. The message does
            not quote the value.
    """
    # Fast path: the date and time were checked before, and the text after the seconds is a common one.
    if type(value) is str:
        try:
            return SECONDS[value[:LENGTH]] + ENDS[value[LENGTH:]]
        except KeyError:
            return _from_unknown(value)
    if type(value) is int or (type(value) is float and value.is_integer()):
        return from_millis(_millis(int(value)))
    if type(value) is float:
        raise ValueError("a time is a whole number: multiply seconds with a fraction by 1000, and round")
    raise ValueError("a time is RFC 3339 text or a whole number")


def _millis(number: int) -> int:
    """Epoch milliseconds of a whole number, whose size tells its unit."""
    if number < SECONDS_FROM:
        what = "a negative number" if number < 0 else "a number below 100,000,000"
        days = "if it counts days: add_time('1970-01-01T00:00:00Z', concat(days, 'd'))"
        raise ValueError(f"{what} is no time ({days})")
    if number > MAX_NUMBER:
        raise ValueError("a number above 9,223,372,036,854,775,807 is no time")
    if number < MILLIS_FROM:
        return number * 1000
    if number < MICROS_FROM:
        return number
    return number // 1000 if number < NANOS_FROM else number // 1_000_000


def from_millis(millis: int) -> str:
    """Epoch milliseconds as RFC 3339.

    Raises:
        ValueError: outside the years 1 to 9999.
    """
    second = millis // 1000
    known = _Last.known
    if known is None or known[0] != second:
        try:
            text = (_EPOCH + timedelta(seconds=second)).isoformat()[:LENGTH]
        except OverflowError:
            raise ValueError("a time lies in the years 1 to 9999") from None
        known = _Last.known = second, text
    return known[1] + SUFFIXES[millis % 1000]


def from_datetime(moment: datetime) -> str:
    """A moment as RFC 3339.

    Raises:
        ValueError: it has no time zone, or lies outside the years 1 to 9999 in UTC.
    """
    if moment.utcoffset() is None:
        raise ValueError("a time needs a time zone")
    return from_millis((moment - _EPOCH) // timedelta(milliseconds=1))


def _from_unknown(value: str) -> str:
    """Format text whose date and time were not checked recently, or whose ending is not a common one."""
    second, end = value[:LENGTH], ENDS.get(value[LENGTH:])
    if end is None or not _is_second(second):
        return _from_text(value)
    if len(SECONDS) >= _MAX_CHECKED:
        SECONDS.clear()
    SECONDS[second] = second
    return second + end


def _is_second(text: str) -> bool:
    """Whether this is a valid date and time in the common format."""
    if len(text) != LENGTH or text[4] != "-" or text[7] != "-" or text[10] != "T":
        return False
    if text[13] != ":" or text[16] != ":" or text[11:13] == "24":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _from_text(value: str) -> str:
    """Format any RFC 3339 text: other offsets, any number of digits, a leap second."""
    found = _RFC3339.fullmatch(value)
    if found is None:
        raise ValueError(_what_it_looks_like(value))
    date, minute, second, digits, offset = found.groups()
    leap = second == "60"
    try:
        local = datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}{offset.upper()}")
        moment = local.astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        raise ValueError("a time as text names a day and an hour that exist") from None
    return moment.isoformat()[:LENGTH] + f".{(digits or '')[:3]:0<3}Z"


def _what_it_looks_like(text: str) -> str:
    """Why a text is not a time, without quoting it."""
    if _LOCAL_TIME.fullmatch(text):
        return "the text is a time without an offset: parse_time() takes a time zone"
    if _DATE.fullmatch(text):
        return "the text is a date without a time: parse_time() reads it"
    if text.lstrip("-").isdecimal():
        return "the text is a number, not a time: to_number() converts it"
    return "a time as text is RFC 3339, with an offset; parse_time() reads other formats"
