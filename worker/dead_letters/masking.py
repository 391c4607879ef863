"""A value as it may be shown on a screen: its shape, without what could be a person.

Letters become x and digits 9, so that a wrong format can still be seen: `ada@example.com` is `xxx@xxxxxxx.xxx`.
Shown as they are: times, truths, short numbers, the words that often stand where something is missing, and the
values of a few fields that hold codes, such as `type`. Everything else could be somebody.
"""

from __future__ import annotations

import re
from typing import Any

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_. :/-]{0,63}", re.ASCII)
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_$.-]{0,63}[0-9]{0,2}", re.ASCII)
_EMPTY_WORDS = frozenset({"", "null", "undefined", "none", "nan", "[object object]", "true", "false", "n/a"})
_CODES = frozenset(
    {"type", "kind", "event", "event_type", "eventtype", "action", "status", "state", "currency", "version"}
    | {"platform", "os", "devicetype", "metric", "objecttypeid", "schema", "op"}
)
"""Fields, in lower case, that hold a word of a program's."""

_LONGEST = 200
"""Characters of a text that are shown: beyond them there is nothing to see in a shape."""

_PLAIN_DIGITS = 5
"""A number with more digits may be somebody's id or telephone."""


def masked(value: Any, field: str = "") -> Any:
    """Decoded JSON with everything masked that could be a person.

    Args:
        value: the decoded value.
        field: the name that it stands under.
    """
    if isinstance(value, dict):
        return {_masked_key(key): masked(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each, field) for each in value]
    if isinstance(value, str):
        return value if _is_harmless(value, field) else shape(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if len(re.sub(r"\D", "", str(value))) <= _PLAIN_DIGITS else shape(str(value))
    return value


def shape(text: str) -> str:
    """Letters as x, digits as 9, everything else as it is; long texts are cut."""
    shown = "".join("x" if each.isalpha() else "9" if each.isdigit() else each for each in text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}... ({len(text)} characters)"


def _is_harmless(text: str, field: str) -> bool:
    if text.strip().casefold() in _EMPTY_WORDS or _TIME.fullmatch(text):
        return True
    if field == "messageId":
        return _ULID.fullmatch(text) is not None
    return field.casefold() in _CODES and _CODE.fullmatch(text) is not None


def _masked_key(key: str) -> str:
    """Some producers key objects by people."""
    return key if _KEY.fullmatch(key) else shape(key)
