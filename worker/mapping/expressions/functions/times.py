"""Functions of times. Each reads what a call's `timestamp` takes, and writes RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from worker.core import timestamps
from worker.core.near_matches import did_you_mean
from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.functions import time_codes
from worker.mapping.expressions.functions.arguments import number_of, text_of
from worker.mapping.expressions.functions.function import Function, InvalidArgumentError

_DURATION = re.compile(r"(-?)([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds."""

_OF_THIS_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
"""Names in some machines' lists of zones that mean another zone on each."""


def epoch_seconds(timestamp: object) -> int:
    """Whole seconds since 1970, rounded down."""
    return math.floor(_moment("epoch_seconds", timestamp).timestamp())


def rfc3339(number: object) -> str:
    """A time as RFC 3339 text in UTC with milliseconds.

    Takes milliseconds since 1970 from 10^11 on, seconds below; finer parts are cut off. Outside the years 1
    to 9999 is a failure.
    """
    since = number_of(number)
    millis = since if since >= timestamps.MILLIS_FROM else round(since * 1000, 3)
    try:
        return timestamps.from_millis(math.floor(millis))
    except (ValueError, OverflowError):
        raise ExpressionFailed("rfc3339(): outside the years 1 to 9999") from None


def parse_time(text: object, form: object, zone: object = "") -> str:
    """The time that a text has in a format of Python's codes.

    Args:
        text: the time.
        form: such as `%d.%m.%Y %H:%M`.
        zone: of a text that has none. The first of a local time that comes twice is meant.
    """
    value, codes, name = text_of(text), text_of(form), text_of(zone)
    local = _zone("parse_time", name) if name else None
    try:
        read = time_codes.reader(codes).read(value)
    except (time_codes.InvalidFormatError, ValueError, OverflowError):
        read = None
    if read is None:
        raise ExpressionFailed("parse_time(): the text is not a time in this format")
    moment, own = read
    if own is None and local is None:
        raise ExpressionFailed("parse_time(): neither the text nor the call has a time zone")
    try:
        return timestamps.from_datetime(moment.replace(tzinfo=own or local))
    except (ValueError, OverflowError):
        raise ExpressionFailed("parse_time(): outside the years 1 to 9999") from None


def format_time(timestamp: object, form: object, zone: object = "UTC") -> str:
    """A time as text in a format of Python's codes."""
    codes, name = text_of(form), text_of(zone)
    moment = _in_zone("format_time", timestamp, name)
    try:
        texts = time_codes.written(moment, codes)
    except (time_codes.InvalidFormatError, ValueError):
        raise ExpressionFailed("format_time(): no time has this format") from None
    text_length.check("format_time", sum(map(len, texts)))
    return "".join(texts)


def add_time(timestamp: object, duration: object) -> str:
    """A time plus a duration; minus it with a leading `-`."""
    moment, written = _moment("add_time", timestamp), text_of(duration)
    found = _DURATION.fullmatch(written)
    if found is None:
        raise ExpressionFailed("add_time(): the text is not a duration")
    millis = int(Decimal(found[2]) * _UNITS[found[3]])
    try:
        return timestamps.from_datetime(moment + timedelta(milliseconds=-millis if found[1] else millis))
    except (ValueError, OverflowError):
        raise ExpressionFailed("add_time(): outside the years 1 to 9999") from None


def date(timestamp: object, zone: object = "UTC") -> str:
    """The date of a time in a zone: `2026-11-21`."""
    return _in_zone("date", timestamp, text_of(zone)).date().isoformat()


def _moment(name: str, timestamp: object) -> datetime:
    """What a call's `timestamp` takes. The types are checked here, the values by `timestamps`."""
    if type(timestamp) is not str:
        number_of(timestamp)
    try:
        return datetime.fromisoformat(timestamps.rfc3339(timestamp))
    except ValueError:
        raise ExpressionFailed(f"{name}(): neither RFC 3339 nor a whole number in range") from None


def _in_zone(name: str, timestamp: object, zone: str) -> datetime:
    moment = _moment(name, timestamp)
    try:
        return moment.astimezone(_zone(name, zone))
    except (ValueError, OverflowError):
        raise ExpressionFailed(f"{name}(): outside the years 1 to 9999") from None


def _zone(name: str, zone: str) -> tzinfo:
    found = _find_zone(zone)
    if found is None:
        raise ExpressionFailed(f"{name}(): there is no such time zone")
    return found


@lru_cache(128)
def _find_zone(zone: str) -> tzinfo | None:
    """A zone of the IANA database; None if there is none of this name."""
    if zone == "UTC":
        return UTC
    if zone in _OF_THIS_MACHINE:
        return None
    try:
        return zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # The latter two for a path, a folder such as `Europe`, and a long name.
        return None


def _check_zone(arguments: Sequence[Any], index: int) -> None:
    zone = arguments[index] if index < len(arguments) else None
    if type(zone) is str and _find_zone(zone) is None:
        hint = did_you_mean(zone, zoneinfo.available_timezones() - _OF_THIS_MACHINE)
        raise InvalidArgumentError(
            index, f"there is no time zone '{zone}'", hint or "such as 'Europe/Berlin'"
        )


def _check_parse(arguments: Sequence[Any]) -> None:
    _check_form(arguments[1], time_codes.reader)
    _check_zone(arguments, 2)


def _check_format(arguments: Sequence[Any]) -> None:
    _check_form(arguments[1], time_codes.check_output_format)
    _check_zone(arguments, 2)


def _check_form(form: Any, check: Callable[[str], object]) -> None:
    """Check a literal format, by a function that raises `InvalidFormatError`."""
    if type(form) is str:
        try:
            check(form)
        except time_codes.InvalidFormatError as error:
            raise InvalidArgumentError(1, f"no time has the format '{form}': {error}", _FORMAT_HINT) from None


def _check_duration(arguments: Sequence[Any]) -> None:
    duration = arguments[1]
    if type(duration) is str and _DURATION.fullmatch(duration) is None:
        raise InvalidArgumentError(
            1, f"'{duration}' is not a duration", "a number with ms, s, m, h or d: '3d', '-12h'"
        )


_FORMAT_HINT = "Python's codes, such as '%Y-%m-%d %H:%M:%S'"
_TIMES = "Null, and any other type: null. A time is RFC 3339 text or a whole number, as for `timestamp`."
_NO_TIME = "Text and numbers that are not times"

FUNCTIONS = (
    Function(
        "epoch_seconds(timestamp)",
        "Whole seconds since 1970, rounded down.",
        "epoch_seconds('2026-11-21T10:00:00Z')",
        "1795255200",
        epoch_seconds,
        wrong_type=_TIMES,
        fails=f"{_NO_TIME}.",
    ),
    Function(
        "rfc3339(number)",
        "A number of seconds since 1970 (from 10^11 on milliseconds) as RFC 3339 text.",
        "rfc3339(`1795255200`)",
        '"2026-11-21T10:00:00.000Z"',
        rfc3339,
        fails="A time outside the years 1 to 9999.",
    ),
    Function(
        "parse_time(s, format[, zone])",
        "The time in a text, as RFC 3339, in `zone` if the text has none. Of a time that occurs twice, the first.",
        "parse_time('21.11.2026 11:00', '%d.%m.%Y %H:%M', 'Europe/Berlin')",
        '"2026-11-21T10:00:00.000Z"',
        parse_time,
        fails="Text that does not have this format; no zone in either; a computed zone that does not exist.",
        check=_check_parse,
    ),
    Function(
        "format_time(timestamp, format[, zone])",
        "The time as text in a format of Python's codes, English and in UTC if no zone is given.",
        "format_time('2026-11-21T10:00:00Z', '%A, %-d %B %Y, %H:%M', 'Europe/Berlin')",
        '"Saturday, 21 November 2026, 11:00"',
        format_time,
        wrong_type=_TIMES,
        fails=f"{_NO_TIME}; a computed format or zone that does not exist.",
        check=_check_format,
    ),
    Function(
        "add_time(timestamp, duration)",
        "The time plus a duration in `ms`, `s`, `m`, `h` or `d`, as RFC 3339; a leading `-` subtracts it.",
        "add_time('2026-11-21T10:00:00Z', '-3d')",
        '"2026-11-18T10:00:00.000Z"',
        add_time,
        wrong_type=_TIMES,
        fails=f"{_NO_TIME}; text that is not a duration.",
        check=_check_duration,
    ),
    Function(
        "date(timestamp[, zone])",
        "The date in a zone, or in UTC.",
        "date('2026-11-21T23:30:00Z', 'Europe/Berlin')",
        '"2026-11-22"',
        date,
        wrong_type=_TIMES,
        fails=f"{_NO_TIME}; a computed zone that does not exist.",
        check=lambda arguments: _check_zone(arguments, 1),
    ),
)
