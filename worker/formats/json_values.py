"""From a record's bytes to an event: JSON, decoded exactly or not at all.

Two things an event may hold would be damaged in silence by most decoders, and both are kept from that here:

* An integer outside 64 bits stays the exact integer it is (msgspec's decoder holds it, where orjson's would
  turn it into a float). Encoding refuses it (`encoding.encode`), so a record is rejected if such an integer
  reaches a call, and only then. It costs nothing: no search of the bytes, no walk through the call.
* Nesting beyond `MAX_DEPTH` is refused before it is decoded.

An object that names a key twice holds the last of the two, as in every JSON parser that Customer.io's SDKs
use.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from worker.core.reasons import Rejected, Stage

MAX_DEPTH = 128
"""How deep objects and lists may nest in an event. Ours: no document gives a limit, and no event needs as
much."""

SCHEMA_REGISTRY_PREFIX_BYTES = 5
"""A zero byte and a schema's number: what serializers that use a Schema Registry write before the JSON."""

FEWEST_BYTES_TOO_DEEP = 2 * (MAX_DEPTH + 1)
"""What nests deeper than `MAX_DEPTH` is this long at least: two bytes for each level."""

FEWEST_OBJECT_BYTES_TOO_DEEP = 5 * MAX_DEPTH + 2
"""It is this long if it consists of objects, of five bytes a level but for the last: `{"":{}}`. A list instead of an
object saves three. So JSON of `n` bytes with `k` opening square brackets is not too deep if `n + 3 * k` is less."""

MAY_BE_TOO_DEEP = f"len(value.replace(b'[', b'[[[[')) >= {FEWEST_OBJECT_BYTES_TOO_DEEP}"
"""That as Python source, for generated code: whether a `value` is to be given to `check_depth`."""

FEW_LEVELS = 4
"""How often each kind of bracket is taken away where a value has many: lists of hundreds are seldom deep."""

_BYTE = re.compile(r"\(byte (\d+)\)")
_HALF_A_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
    rb"(?!\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z)"  # the other half, or the end on its way
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'{}[]"'))

_loads = msgspec.json.Decoder().decode
load_object = msgspec.json.Decoder(dict).decode
"""JSON to a dict; what it raises, `decode` is to judge."""

UNDECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError)
"""What a decoder, or a look at the first byte, raises where `decode` is to judge."""


def decode(value: bytes) -> dict[str, Any]:
    """The event that a record's value holds.

    Raises:
        Rejected: with stage `decode`: `EMPTY_VALUE`, `INVALID_JSON`, `NOT_AN_OBJECT` or `TOO_DEEP`.
    """
    whole = len(value)
    if value[:1] == b"\x00":
        value = without_prefix(value)
    check_depth(value)
    try:
        event = _loads(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse(value, error, skipped=whole - len(value))
    if type(event) is not dict:
        raise Rejected(Stage.DECODE, "NOT_AN_OBJECT", "The value is JSON, but not an object.")
    return event


def without_prefix(value: bytes) -> bytes:
    """The value behind a Schema Registry prefix: a zero byte, which no JSON begins with, and four more."""
    return value[SCHEMA_REGISTRY_PREFIX_BYTES:]


def check_depth(value: bytes) -> None:
    """Refuse JSON that nests deeper than `MAX_DEPTH`, without decoding it.

    Raises:
        Rejected: `TOO_DEEP`.
    """
    if len(value) < FEWEST_BYTES_TOO_DEEP:
        return
    # Faster than bytes.count, which looks at each byte by itself.
    others = len(value.replace(b"[", b"")) + len(value.replace(b"{", b""))
    if 2 * len(value) - others > MAX_DEPTH:  # most such values are long lists
        _count_levels(value)


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
    """The brackets outside of strings; what a string that does not end holds counts as inside."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(value.translate(None, _NEITHER_BRACKET_NOR_QUOTE).split(b'"')[::2])


def _is_flat(brackets: bytes) -> bool:
    """Whether few levels are sure to be all. One look at a time at all pairs is faster than at each byte."""
    for pair in (b"{}", b"[]") * FEW_LEVELS:
        brackets = brackets.replace(pair, b"")  # takes one level away at most
        if not brackets:
            return True
    return False


def refuse(value: bytes, error: Exception, *, skipped: int = 0) -> NoReturn:
    """Say in our own words why msgspec could not decode a value: its errors may quote the value.

    Also for decoders that the rule compiler generates: pass what `msgspec.json.Decoder.decode` raised.

    Args:
        value: what is no JSON.
        error: what the decoder raised.
        skipped: bytes of the record's value in front of it, from whose beginning positions are counted.

    Raises:
        Rejected: `EMPTY_VALUE`, `TOO_DEEP`, `NOT_AN_OBJECT` or `INVALID_JSON`, with the byte where JSON ends
            to be JSON where that is known.
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
    """Whether the first half of a surrogate pair is followed by anything but the second; msgspec says "truncated"."""
    return _HALF_A_PAIR.search(value.replace(b"\\\\", b"_")) is not None
