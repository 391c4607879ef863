"""A value as it may be shown on a screen: its shape, without what could identify a person.

Letters become x and digits 9, so that a wrong format can still be seen: `ada@example.com` is `xxx@xxxxxxx.xxx`. Shown
as they are: dates with a time, words that often replace a missing value, one short word in a field that holds a code,
and texts of the worker's own. Everything else could be data about a person: a birth date has no time, and any number
may be an id.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ](?!00:00(:00(\.0+)?)?(Z|[+-]|$))\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
"""A date with a time. Midnight is not one: that is how many programs write a birth date."""

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}", re.ASCII)
"""One short word, such as `order.completed`."""

_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$]{0,39}[0-9]?", re.ASCII)
"""What the name of a field looks like. Without dots and dashes, as in `ada.lovelace`, and without numbers."""

_EMPTY_WORDS = frozenset({"", "null", "undefined", "none", "nan", "[object object]", "true", "false", "n/a"})
_CODES = frozenset(
    {"type", "kind", "event", "event_type", "eventtype", "action", "status", "state", "currency", "version"}
    | {"platform", "os", "devicetype", "metric", "objecttypeid", "schema", "op"}
)
"""Fields, in lower case, that hold a program's code."""

MAX_LEVELS = 100
"""Of nested objects and lists that are shown: deeper ones are cut. JSON can nest deeper than Python recurses."""

CUT = "..."
"""Stands for what is nested deeper than `MAX_LEVELS`."""

_MAX_CHARS = 200
"""Of a text's shape: a longer one shows nothing more."""


def cut(value: Any, levels: int = MAX_LEVELS) -> Any:
    """Decoded JSON without what is nested deeper than `levels`."""
    if isinstance(value, dict):
        return {key: cut(each, levels - 1) for key, each in value.items()} if levels else CUT
    if isinstance(value, list):
        return [cut(each, levels - 1) for each in value] if levels else CUT
    return value


def masked(value: Any, field: str = "", own_texts: Collection[str] = ()) -> Any:
    """Decoded JSON, nested no deeper than `MAX_LEVELS`, with everything masked that could identify a person.

    Args:
        value: the decoded value.
        field: the name of the field that holds it.
        own_texts: texts of the worker's own, such as the event names that a mapping spells out.
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
    """Letters as x, digits as 9, everything else as it is; long texts are cut."""
    shown = "".join("x" if each.isalpha() else "9" if each.isdigit() else each for each in text[:_MAX_CHARS])
    return shown if len(text) <= _MAX_CHARS else f"{shown}... ({len(text)} characters)"


def _is_harmless(text: str, field: str) -> bool:
    if text.strip().casefold() in _EMPTY_WORDS or _TIME.fullmatch(text):
        return True
    if field == "messageId":
        return _ULID.fullmatch(text) is not None
    return field.casefold() in _CODES and _CODE.fullmatch(text) is not None


def _masked_key(key: str) -> str:
    """Some producers use ids or names of people as keys of objects."""
    return key if _KEY.fullmatch(key) else shape(key)
