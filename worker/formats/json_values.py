"""Decodes JSON values to events, exactly or not at all.

* An integer outside 64 bits stays exact: msgspec decodes it, orjson would silently convert it to a float. Encoding
  rejects it (`encoding.encode`), so a record is rejected only if such an integer is part of a call.
* Nesting beyond `MAX_DEPTH` is rejected before anything is decoded.
* If an object repeats a key, the last one counts, as in the JSON parsers of Customer.io's SDKs.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from worker.core.reasons import Rejected, Stage

MAX_DEPTH = 128
"""The largest depth of nested objects and lists: the worker's own limit, far above real events; the API has none."""

SCHEMA_REGISTRY_PREFIX_BYTES = 5
"""A zero byte and a schema's number: what serializers that use a Schema Registry write before the JSON."""

FEWEST_BYTES_TOO_DEEP = 2 * (MAX_DEPTH + 1)
"""The shortest JSON that nests deeper than `MAX_DEPTH`: two bytes for each level, `[]`."""

FEWEST_OBJECT_BYTES_TOO_DEEP = 5 * MAX_DEPTH + 2
"""The same for objects only: five bytes for each level, `{"":` and `}`, except for the last, `{}`. A list instead of an
object saves three bytes. So JSON of `n` bytes with `k` opening square brackets is not too deep if `n + 3 * k` is
less."""

MAY_BE_TOO_DEEP = f"len(value.replace(b'[', b'[[[[')) >= {FEWEST_OBJECT_BYTES_TOO_DEEP}"
"""The test as Python source for generated code: whether `value` must be passed to `check_depth`."""

FEW_LEVELS = 4
"""How often `_is_flat` removes each kind of innermost pair. Lists of flat objects, the usual large values, are empty
after that."""

_BYTE = re.compile(r"\(byte (\d+)\)")
_HALF_A_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
    rb"(?!\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z)"  # the other half, or the end on its way
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'{}[]"'))

_loads = msgspec.json.Decoder().decode
load_object = msgspec.json.Decoder(dict).decode
"""Decodes JSON to a dict. If it raises, call `decode` for the reason."""

UNDECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError)
"""The exceptions of a decoder, or of reading the first byte (`IndexError`), after which `decode` finds the reason."""


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
    """The value without its Schema Registry prefix: a zero byte, with which no JSON begins, and four more."""
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
    """The brackets outside strings; those after an unclosed quote count as inside."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(value.translate(None, _NEITHER_BRACKET_NOR_QUOTE).split(b'"')[::2])


def _is_flat(brackets: bytes) -> bool:
    """Whether the brackets surely nest only a few levels. Removing innermost pairs is faster than counting bytes."""
    for pair in (b"{}", b"[]") * FEW_LEVELS:
        brackets = brackets.replace(pair, b"")  # removes at most one level
        if not brackets:
            return True
    return False


def refuse(value: bytes, error: Exception, *, skipped: int = 0) -> NoReturn:
    """Raise the reason why msgspec could not decode a value, without msgspec's message, which may quote the value.

    Also for decoders that the rule compiler generates: pass what `msgspec.json.Decoder.decode` raised.

    Args:
        value: the invalid JSON.
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
