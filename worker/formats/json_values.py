"""Decodes JSON events exactly, or rejects them.

Two cases need care:

* An integer outside 64 bits is kept as an exact integer: msgspec decodes it so, while orjson would silently return a
  float. `encoding.encode` refuses such an integer, so a record is rejected only if one reaches a call. This costs
  nothing: neither the bytes nor the call are searched for one.
* Nesting deeper than `MAX_DEPTH` is rejected before decoding.

If an object contains a key twice, the last value counts, as in all JSON parsers that Customer.io's SDKs use.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from worker.core.reasons import Rejected, Stage

MAX_DEPTH = 128
"""How deep objects and lists may nest in an event. Customer.io documents no limit; real events need far less."""

SCHEMA_REGISTRY_PREFIX_BYTES = 5
"""A zero byte and a schema id of four bytes, which serializers with a Schema Registry write before the JSON."""

FEWEST_BYTES_TOO_DEEP = 2 * (MAX_DEPTH + 1)
"""The shortest JSON that nests deeper than `MAX_DEPTH`: two bytes for each level (`[[]]`)."""

FEWEST_OBJECT_BYTES_TOO_DEEP = 5 * MAX_DEPTH + 2
"""The shortest such JSON of objects only: five bytes for each level but the last (`{"":{}}`). A list instead of an
object saves three bytes, so JSON of `n` bytes with `k` opening square brackets is not too deep if `n + 3 * k` is
less."""

MAY_BE_TOO_DEEP = f"len(value.replace(b'[', b'[[[[')) >= {FEWEST_OBJECT_BYTES_TOO_DEEP}"
"""That condition as Python source for generated code: whether `check_depth` has to check `value`."""

INNER_MAY_BE_TOO_DEEP = f"len(value.replace(b'[', b'[[[[')) >= {FEWEST_OBJECT_BYTES_TOO_DEEP - 5}"
"""The same for a value that stands in one more object."""

_BETWEEN_OBJECTS = (b"},{", b"}, {")
"""What stands between two objects of a list, without spaces and as Python writes it."""

_COMPARED = 8
"""Bytes of a separator and of the object after it, which usually begins with the same field: one search takes 5 µs in
20 kB, and counting the levels byte by byte 35 µs."""

FEW_LEVELS = 4
"""How many levels are removed at once before levels are counted byte by byte: most values with many brackets are long
lists of flat objects."""

_BYTE = re.compile(r"\(byte (\d+)\)")
_HALF_A_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
    rb"(?!\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z)"  # the other half, or the end on its way
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'{}[]"'))

_loads = msgspec.json.Decoder().decode
load_object = msgspec.json.Decoder(dict).decode
"""Decodes JSON to a dict. After an exception `decode` finds the precise error."""

UNDECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError)
"""Exceptions of the fast path, after which `decode` finds the precise error. IndexError is that of an empty value."""


def decode(value: bytes, prefix: int = SCHEMA_REGISTRY_PREFIX_BYTES) -> dict[str, Any]:
    """Decode a record's value to an event.

    Args:
        value: the JSON, perhaps after the prefix of a schema registry: a zero byte, which no JSON begins with, and an
            id.
        prefix: the length of such a prefix.

    Raises:
        Rejected: with stage `decode`: `EMPTY_VALUE`, `INVALID_JSON`, `NOT_AN_OBJECT` or `TOO_DEEP`.
    """
    whole = len(value)
    if value[:1] == b"\x00":
        value = value[prefix:]
    check_depth(value)
    try:
        event = _loads(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse(value, error, skipped=whole - len(value))
    if type(event) is not dict:
        raise Rejected(Stage.DECODE, "NOT_AN_OBJECT", "The value is JSON, but not an object.")
    return event


def decode_any(value: bytes) -> Any:
    """Decode JSON of any type by the same rules.

    Raises:
        Rejected: with stage `decode`: `EMPTY_VALUE`, `INVALID_JSON` or `TOO_DEEP`.
    """
    check_depth(value)
    try:
        return _loads(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse(value, error)


def check_depth(value: bytes) -> None:
    """Reject JSON that nests deeper than `MAX_DEPTH`, without decoding it.

    Raises:
        Rejected: `TOO_DEEP`.
    """
    if len(value) < FEWEST_BYTES_TOO_DEEP:
        return
    # Values with fewer opening brackets than levels allowed pass. Two `replace` are faster than two `bytes.count`.
    others = len(value.replace(b"[", b"")) + len(value.replace(b"{", b""))
    brackets = 2 * len(value) - others
    if brackets > MAX_DEPTH and brackets - _followers(value) > MAX_DEPTH:
        _count_levels(value)


def _followers(value: bytes) -> int:
    """How many objects begin right after another ended, at least: in a long list of objects that is nearly all.

    Each of them begins a level after one has ended, so no value nests deeper than it has other opening brackets. In
    strings neither bracket counts, which comes to the same.
    """
    return sum(_as_the_first(value, separator) for separator in _BETWEEN_OBJECTS)


def _as_the_first(value: bytes, separator: bytes) -> int:
    """How often a separator is found with the bytes that follow it the first time. More bytes are found faster."""
    start = value.find(separator)
    return value.count(value[start : start + _COMPARED]) if start >= 0 else 0


def _count_levels(value: bytes) -> None:
    brackets = _brackets(value)
    if _is_flat(brackets):
        return
    depth = 0
    for byte in brackets:
        if byte in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise Rejected(
                    Stage.DECODE, "TOO_DEEP", f"Objects and lists nest deeper than {MAX_DEPTH} levels."
                )
        else:
            depth -= 1


def _brackets(value: bytes) -> bytes:
    """The brackets outside of strings. An unterminated string extends to the end."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(value.translate(None, _NEITHER_BRACKET_NOR_QUOTE).split(b'"')[::2])


def _is_flat(brackets: bytes) -> bool:
    """Whether removing pairs of brackets a few times leaves none. This is faster than counting byte by byte."""
    for pair in (b"{}", b"[]") * FEW_LEVELS:
        brackets = brackets.replace(pair, b"")  # removes at most one level
        if not brackets:
            return True
    return False


def refuse(value: bytes, error: Exception, *, skipped: int = 0) -> NoReturn:
    """Reject a value that msgspec could not decode, without msgspec's message, which may quote the value.

    Args:
        value: the invalid JSON.
        error: the decoder's exception.
        skipped: bytes of the record's value before `value`; positions in the message include them.

    Raises:
        Rejected: `EMPTY_VALUE`, `TOO_DEEP` or `INVALID_JSON`, with the position of the first invalid byte if known.
    """
    if not value.strip():
        raise Rejected(Stage.DECODE, "EMPTY_VALUE", "The value has no content.") from None
    if isinstance(error, RecursionError):
        raise Rejected(Stage.DECODE, "TOO_DEEP", f"The value nests deeper than {MAX_DEPTH} levels.") from None
    raise Rejected(Stage.DECODE, "INVALID_JSON", _what_is_wrong(value, error, skipped)) from None


def _what_is_wrong(value: bytes, error: Exception, skipped: int) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "The value holds text that is not UTF-8."
    if isinstance(error, msgspec.ValidationError):
        return "The value holds a number that is out of range."
    if value.startswith(_BYTE_ORDER_MARKS):
        return "The value begins with a byte order mark; JSON is UTF-8 without one."
    found = _BYTE.search(str(error))
    if (found is None and _holds_half_a_pair(value)) or "surrogate" in str(error):
        return "The value holds half of a surrogate pair: an escape such as \\ud83d without its other half."
    if found is not None:
        return f"The value stops being JSON at byte {int(found[1]) + skipped}."
    return "The value ends before its JSON does."


def _holds_half_a_pair(value: bytes) -> bool:
    """Whether a high surrogate is not followed by a low one, which msgspec reports as truncated input."""
    return _HALF_A_PAIR.search(value.replace(b"\\\\", b"_")) is not None
