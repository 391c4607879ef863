"""Limits the text that functions of expressions make: `limits.text_length`, one limit for the process.

The length is computed before the text is made: replacing each character of a 60 kB text by the whole text would make
3.6 GB. Since a function can be called for every item of a list, all texts of one expression together are limited too.
"""

from __future__ import annotations

from typing import Any

from worker.mapping.expressions.failures import ExpressionFailed

MAX_LENGTH = 1_000_000
"""Characters: the default of `limits.text_length`, thirty times what a call may hold."""

ALL_TEXTS = 10
"""All texts of one expression together may be this many times the limit: 40 MB by default, at 4 bytes a character."""

MAKES_TEXT = frozenset(
    [
        "base64_decode",
        "base64_encode",
        "concat",
        "extract",
        "format_number",
        "format_time",
        "from_entries",
        "join",
        "lower of $name",
        "omit",
        "pad_left",
        "parse_json",
        "pick",
        "replace",
        "replace_regex",
        "split",
        "substring",
        "to_entries",
        "to_string",
        "trim of $name",
        "upper of $name",
        "url_decode",
    ]
)
"""The functions that call `check` or `count`."""


class _Made:
    """The limit, and how many characters the expression that is being evaluated has made. Mapping has one thread."""

    limit = MAX_LENGTH
    characters = 0


def set_limit(characters: int) -> None:
    """Set the limit for every expression of the process."""
    _Made.limit = characters


def limit() -> int:
    """The most characters of one text."""
    return _Made.limit


def begin() -> None:
    """Start counting, before an expression is evaluated."""
    _Made.characters = 0


def check(function: str, length: int) -> None:
    """Count a text of this length, before a function makes it.

    Raises:
        ExpressionFailed: it exceeds the limit for one text, or for all texts of the expression.
    """
    _Made.characters += length
    if length > _Made.limit or _Made.characters > ALL_TEXTS * _Made.limit:
        raise ExpressionFailed(f"{function}(): the text would be longer than limits.text_length")


def count(function: str, length: int) -> None:
    """Count a text that is a part of another, and therefore not longer.

    Raises:
        ExpressionFailed: it exceeds the limit for all texts of the expression.
    """
    _Made.characters += length
    if _Made.characters > ALL_TEXTS * _Made.limit:
        raise ExpressionFailed(
            f"{function}(): the texts together would be longer than limits.text_length allows"
        )


def json_length(value: Any) -> int:
    """The least length of a value's JSON text: without escapes, and with one digit for each number.

    Counting stops beyond the limit, so it takes bounded time even if a value contains another many times.
    """
    length = 0
    left = [value]
    while left and length <= _Made.limit:
        each = left.pop()
        if type(each) is str:
            length += len(each) + 2
        elif type(each) is dict:
            length += 2 + sum(len(name) + 4 for name in each) - bool(each)
            left.extend(each.values())
        elif type(each) is list:
            length += 2 + len(each) - bool(each)
            left.extend(each)
        else:
            length += 1
    return length
