"""Messages that are a JSON value of their own: Protobuf's well-known types, `google.type` and `confluent.type`.

The types are recognised by their name and their fields, because any schema may define a message with such a name.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from decimal import Decimal
from struct import Struct
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field

from worker.formats.json_values import MAX_DEPTH
from worker.formats.protobuf import times
from worker.formats.protobuf.refusals import refuse, refuse_depth

MOST_DIGITS = 25_000
"""The longest text of a decimal (this program's own limit; databases have at most some thousands). It takes about 2 ms
to compute, and the time grows with the square of the length."""

_FLOAT = Struct("f")
_EXACT = 2**53
"""From here on a float does not hold every whole number."""


def base64_text(value: bytes) -> str:
    """Bytes as JSON has them: standard base64 with padding."""
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def wrapped(message: Any) -> Any:
    """The value of a wrapper such as `google.protobuf.StringValue`."""
    return message.value


def wrapped_bytes(message: Any) -> str:
    """The value of a `google.protobuf.BytesValue`."""
    return base64_text(message.value)


def confluent_decimal(message: Any) -> str:
    """A `confluent.type.Decimal`: an unscaled number in two's complement, and how many of its digits are decimals."""
    unscaled, scale = message.value, message.scale
    if len(unscaled) > MOST_DIGITS * 2 // 5 or abs(scale) > MOST_DIGITS:  # a byte has 2.4 digits
        refuse(f"A decimal has more than {MOST_DIGITS:,} digits.")
    # By way of Decimal, which has no limit of digits; converting an int to text has one in Python.
    number = Decimal(int.from_bytes(unscaled, "big", signed=True))
    digits = f"{number.copy_abs():f}"
    if scale > 0:
        digits = digits.zfill(scale + 1)
        digits = f"{digits[:-scale]}.{digits[-scale:]}"
    elif number:
        digits += "0" * -scale
    return f"-{digits}" if number < 0 else digits


def google_decimal(message: Any) -> str:
    """A `google.type.Decimal`: the text as it stands; empty text is zero (decimal.proto)."""
    return message.value or "0"


def wrapped_float(message: Any) -> float:
    """The value of a `google.protobuf.FloatValue`."""
    return short_float(message.value)


def short_float(value: float) -> float:
    """The shortest decimal that is this 32-bit float: 0.1, not 0.10000000149011612."""
    short = float(f"{value:.7g}")
    return short if _as_float(short) == value else _longer(value)


def _longer(value: float) -> float:
    for digits in (8, 9):
        longer = float(f"{value:.{digits}g}")
        if _as_float(longer) == value:
            return longer
    return value  # NaN


def _as_float(value: float) -> float:
    try:
        return _FLOAT.unpack(_FLOAT.pack(value))[0]  # type: ignore[no-any-return]
    except OverflowError:  # the short text of the largest float is above it
        return value


def struct(message: Any, depth: int) -> dict[str, Any]:
    """A `google.protobuf.Struct`. Its names are sorted: their order in memory is not the same in every process."""
    if depth > MAX_DEPTH:
        refuse_depth()
    fields = message.fields
    return {name: value(fields[name], depth + 1) for name in sorted(fields)}


def values(message: Any, depth: int) -> list[Any]:
    """A `google.protobuf.ListValue`."""
    if depth > MAX_DEPTH:
        refuse_depth()
    return [value(each, depth + 1) for each in message.values]


def value(message: Any, depth: int) -> Any:
    """A `google.protobuf.Value`. Its numbers are floats; a whole one is an integer, as in Protobuf's JSON."""
    match message.WhichOneof("kind"):
        case "number_value":
            number = message.number_value
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        case "struct_value":
            return struct(message.struct_value, depth)
        case "list_value":
            return values(message.list_value, depth)
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
    return None


_INT32 = Field.TYPE_INT32
_DATE = dict.fromkeys(("year", "month", "day"), _INT32)
_TIME = dict.fromkeys(("hours", "minutes", "seconds", "nanos"), _INT32)
_SECONDS = {"seconds": Field.TYPE_INT64, "nanos": _INT32}
_ZONE = {"utc_offset": Field.TYPE_MESSAGE, "time_zone": Field.TYPE_MESSAGE}

_SCALARS: dict[str, tuple[Callable[[Any], Any], dict[str, int]]] = {
    "google.protobuf.Timestamp": (times.timestamp, _SECONDS),
    "google.protobuf.Duration": (times.duration, _SECONDS),
    "google.protobuf.DoubleValue": (wrapped, {"value": Field.TYPE_DOUBLE}),
    "google.protobuf.FloatValue": (wrapped_float, {"value": Field.TYPE_FLOAT}),
    "google.protobuf.Int64Value": (wrapped, {"value": Field.TYPE_INT64}),
    "google.protobuf.UInt64Value": (wrapped, {"value": Field.TYPE_UINT64}),
    "google.protobuf.Int32Value": (wrapped, {"value": _INT32}),
    "google.protobuf.UInt32Value": (wrapped, {"value": Field.TYPE_UINT32}),
    "google.protobuf.BoolValue": (wrapped, {"value": Field.TYPE_BOOL}),
    "google.protobuf.StringValue": (wrapped, {"value": Field.TYPE_STRING}),
    "google.protobuf.BytesValue": (wrapped_bytes, {"value": Field.TYPE_BYTES}),
    "google.type.Date": (times.civil_date, _DATE),
    "google.type.TimeOfDay": (times.time_of_day, _TIME),
    "google.type.DateTime": (times.civil_datetime, {**_DATE, **_TIME, **_ZONE}),
    "google.type.Decimal": (google_decimal, {"value": Field.TYPE_STRING}),
    "confluent.type.Decimal": (
        confluent_decimal,
        {"value": Field.TYPE_BYTES, "precision": Field.TYPE_UINT32, "scale": _INT32},
    ),
}
_VALUES: dict[str, tuple[Callable[[Any, int], Any], dict[str, int]]] = {
    "google.protobuf.Struct": (struct, {"fields": Field.TYPE_MESSAGE}),
    "google.protobuf.ListValue": (values, {"values": Field.TYPE_MESSAGE}),
    "google.protobuf.Value": (
        value,
        {
            "null_value": Field.TYPE_ENUM,
            "number_value": Field.TYPE_DOUBLE,
            "string_value": Field.TYPE_STRING,
            "bool_value": Field.TYPE_BOOL,
            "struct_value": Field.TYPE_MESSAGE,
            "list_value": Field.TYPE_MESSAGE,
        },
    ),
}
_WRAPPED: dict[int, type] = {
    Field.TYPE_BOOL: bool,
    **dict.fromkeys((Field.TYPE_DOUBLE, Field.TYPE_FLOAT), float),
    **dict.fromkeys((Field.TYPE_INT32, Field.TYPE_INT64, Field.TYPE_UINT32, Field.TYPE_UINT64), int),
}
_LISTS = {"google.protobuf.Struct": {"fields"}, "google.protobuf.ListValue": {"values"}}
_ONEOFS = {"google.protobuf.Value": {"kind"}, "google.type.DateTime": {"time_offset"}}
ANY = "google.protobuf.Any"
_ANY_FIELDS = {"type_url": Field.TYPE_STRING, "value": Field.TYPE_BYTES}


def scalar(message: Descriptor) -> Callable[[Any], Any] | None:
    """What turns such messages into one text, number or boolean; None if they are not of that kind."""
    convert: Callable[[Any], Any] | None = _known(message, _SCALARS)
    return convert


def json_value(message: Descriptor) -> Callable[[Any, int], Any] | None:
    """What turns such messages into JSON of any kind, given its depth; None if they do not hold JSON."""
    convert: Callable[[Any, int], Any] | None = _known(message, _VALUES)
    return convert


def json_type(message: Descriptor) -> type | None:
    """The JSON type of such messages, which are not objects of their fields; None if they may have any."""
    if message.full_name.endswith(".Value"):
        return None
    if message.full_name in _VALUES or is_any(message):
        return list if message.full_name.endswith(".ListValue") else dict
    return _WRAPPED.get(message.fields_by_name["value"].type, str) if "Value" in message.full_name else str


def is_any(message: Descriptor) -> bool:
    """Whether such messages hold a message of any type."""
    return message.full_name == ANY and _types(message) == _ANY_FIELDS


def _known(message: Descriptor, known: dict[str, tuple[Any, dict[str, int]]]) -> Any:
    convert, fields = known.get(message.full_name, (None, None))
    return convert if fields is not None and _types(message) == fields else None


def _types(message: Descriptor) -> dict[str, int] | None:
    """The types of a message's fields; None if others are lists, or in a `oneof`, than those of the type we know."""
    lists = {field.name for field in message.fields if field.is_repeated}
    if lists != _LISTS.get(message.full_name, set()):
        return None
    if {each.name for each in message.oneofs} != _ONEOFS.get(message.full_name, set()):
        return None
    return {field.name: field.type for field in message.fields}
