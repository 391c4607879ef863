"""JSON values for Avro's bytes and logical types."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from worker.core.timestamps import from_millis
from worker.formats.avro.types import AvroType

MAX_DECIMAL_BYTES = 10_000
"""The longest decimal: 24,000 digits (this program's own limit; databases have at most some hundreds). Its text takes
about 2 ms to compute, and the time grows with the square of the length."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MILLIS = 86_400_000
_DIGITS = {"millis": 3, "micros": 6, "nanos": 9}
_LAST_MILLIS = 253_402_300_799_999
_FIRST_MILLIS = -62_135_596_800_000


class OutOfRangeError(ValueError):
    """A value that has no text. The message says what it is, without the value."""


def base64_text(value: bytes) -> str:
    """Bytes as base64."""
    return b64encode(value).decode()


def decimal_text(value: bytes, scale: int) -> str:
    """An unscaled two's complement number as exact decimal text, with all digits of its scale."""
    if len(value) > MAX_DECIMAL_BYTES:
        raise OutOfRangeError(f"a decimal of more than {MAX_DECIMAL_BYTES} bytes")
    # By way of Decimal, which has no limit of digits; converting an int to text has one in Python.
    number = Decimal(int.from_bytes(value, signed=True))
    digits = f"{number.copy_abs():f}".rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if number < 0 else text


def date_text(days: int) -> str:
    """Days since 1970 as a date."""
    try:
        return date.fromordinal(days + _EPOCH_DAY).isoformat()
    except (ValueError, OverflowError):
        raise OutOfRangeError("a date outside the years 1 to 9999") from None


def timestamp_text(number: int, digits: int, zone: str) -> str:
    """A time since 1970 as RFC 3339 text with milliseconds, or as many digits as it has.

    Args:
        number: in units of 10^-digits seconds.
        digits: 3, 6 or 9.
        zone: `Z`, or empty for a local time.
    """
    millis, rest = divmod(number, 10 ** (digits - 3))
    if not _FIRST_MILLIS <= millis <= _LAST_MILLIS:
        raise OutOfRangeError("a time outside the years 1 to 9999")
    return f"{from_millis(millis)[:-1]}{_rest(rest, digits)}{zone}"


def time_text(number: int, digits: int) -> str:
    """A time of day as text with milliseconds, or as many digits as it has."""
    millis, rest = divmod(number, 10 ** (digits - 3))
    if not 0 <= millis < _DAY_MILLIS:
        raise OutOfRangeError("a time of day outside of a day")
    seconds, millis = divmod(millis, 1000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}.{millis:03}{_rest(rest, digits)}"


def _rest(rest: int, digits: int) -> str:
    """The digits below milliseconds, in groups of three, if any is not zero."""
    text = f"{rest:0{digits - 3}}" if rest else ""
    return text.removesuffix("000")


def duration_text(value: bytes) -> str:
    """Months, days and milliseconds as a duration of ISO 8601 (RFC 3339, appendix A)."""
    months, days, millis = (int.from_bytes(value[at : at + 4], "little") for at in (0, 4, 8))
    text = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    seconds, millis = divmod(millis, 1000)
    if seconds or millis or not text:
        text += f"T{seconds}{f'.{millis:03}' if millis else ''}S"
    return f"P{text}"


def uuid_text(value: bytes) -> str:
    """Sixteen bytes as a UUID's text."""
    return str(uuid.UUID(bytes=value))


def converter_of(type_: AvroType) -> Callable[[Any], Any] | None:
    """What makes a JSON value of a decoded one of this type, without its parts; None if it is one already."""
    is_bytes = type_.kind in {"bytes", "fixed"}
    if type_.logical is None or (type_.logical == "uuid" and not is_bytes):
        return base64_text if is_bytes else None
    if type_.logical == "decimal":
        scale = type_.scale
        return lambda value: decimal_text(value, scale)
    return _SIMPLE.get(type_.logical) or _time_converter(type_.logical)


_SIMPLE: dict[str, Callable[[Any], str]] = {"uuid": uuid_text, "date": date_text, "duration": duration_text}


def _time_converter(logical: str) -> Callable[[Any], str]:
    name, _, unit = logical.rpartition("-")
    digits = _DIGITS[unit]
    if name == "time":
        return lambda number: time_text(number, digits)
    zone = "" if name.startswith("local") else "Z"
    return lambda number: timestamp_text(number, digits, zone)
