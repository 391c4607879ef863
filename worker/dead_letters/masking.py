"""Masks values for display: their format stays visible, anything that could identify a person does not.

Letters become `x` and digits `9`, so that a wrong format can still be seen: `ada@example.com` is `xxx@xxxxxxx.xxx`.
Not masked: dates with a time, words that often stand for a missing value, a single short word in a field that holds a
code, and texts of the configuration. Everything else may be personal data: a date without a time may be a birth date,
and any number may be an id.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ](?!00:00(:00(\.0+)?)?(Z|[+-]|$))\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
"""A date with a time. Midnight does not count: many programs write a birth date that way."""

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}", re.ASCII)
"""One short word, such as `order.completed`."""

_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$]{0,39}[0-9]?", re.ASCII)
"""A name of a field: no dots or dashes, which names of people have (`ada.lovelace`), and at most one digit."""

_EMPTY_WORDS = frozenset({"", "null", "undefined", "none", "nan", "[object object]", "true", "false", "n/a"})
_CODES = frozenset(
    {"type", "kind", "event", "event_type", "eventtype", "action", "status", "state", "currency", "version"}
    | {"platform", "os", "devicetype", "metric", "objecttypeid", "schema", "op"}
)
"""Names of fields, in lower case, whose values are codes of a program."""

MAX_LEVELS = 100
"""Objects and lists nested deeper than this are cut: JSON can nest deeper than Python's recursion limit of 1000."""

CUT = "..."
"""Replaces values that are nested deeper than `MAX_LEVELS`."""

_MAX_CHARS = 200
"""The length at which masked text is cut: more of it would not help to recognise its format."""


def cut(value: Any, levels: int = MAX_LEVELS) -> Any:
    """Decoded JSON, with values nested deeper than `levels` replaced by `CUT`."""
    if isinstance(value, dict):
        return {key: cut(each, levels - 1) for key, each in value.items()} if levels else CUT
    if isinstance(value, list):
        return [cut(each, levels - 1) for each in value] if levels else CUT
    return value


def cut_texts(value: Any, chars: int) -> Any:
    """Decoded JSON, nested no deeper than `MAX_LEVELS`, with texts cut to this length and their length added."""
    if isinstance(value, dict):
        return {cut_texts(key, chars): cut_texts(each, chars) for key, each in value.items()}
    if isinstance(value, list):
        return [cut_texts(each, chars) for each in value]
    if isinstance(value, str) and len(value) > chars:
        return f"{value[:chars]}... ({len(value):,} characters)"
    return value


def masked(value: Any, field: str = "", own_texts: Collection[str] = ()) -> Any:
    """Decoded JSON, nested no deeper than `MAX_LEVELS`, with everything masked that could identify a person.

    Args:
        value: the decoded value.
        field: the name of the field that holds it.
        own_texts: texts of the configuration, such as the event names in a mapping file.
    """
    if isinstance(value, dict):
        return {_masked_key(key): masked(each, key, own_texts) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each, field, own_texts) for each in value]
    if isinstance(value, str):
        return value if value in own_texts or _is_harmless(value, field) else shape(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return shape(str(value))
    return value


def shape(text: str) -> str:
    """The text with letters as `x` and digits as `9`; long texts are cut."""
    shown = "".join("x" if each.isalpha() else "9" if each.isdigit() else each for each in text[:_MAX_CHARS])
    return shown if len(text) <= _MAX_CHARS else f"{shown}... ({len(text)} characters)"


def _is_harmless(text: str, field: str) -> bool:
    if text.strip().casefold() in _EMPTY_WORDS or _TIME.fullmatch(text):
        return True
    if field == "messageId":
        return _ULID.fullmatch(text) is not None
    return field.casefold() in _CODES and _CODE.fullmatch(text) is not None


def _masked_key(key: str) -> str:
    """Mask a key unless it looks like the name of a field: some producers use ids or names of people as keys."""
    return key if _KEY.fullmatch(key) else shape(key)
