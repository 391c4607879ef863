"""Types of JSON values, in words."""

from __future__ import annotations

from typing import Any

TYPE_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def kind_of(value: Any) -> str | None:
    """A value's type in words, with that of a list's items; None for null."""
    if isinstance(value, list) and value and type(value[0]) in TYPE_NAMES:
        return f"a list of {TYPE_NAMES[type(value[0])].partition(' ')[2]}s"
    return TYPE_NAMES.get(type(value))
