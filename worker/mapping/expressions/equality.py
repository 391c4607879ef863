"""Equality of JSON values: 1 and 1.0 are equal; 1 and true, 0 and false are not, at any depth.

Python calls 1 and True equal, and so does the `jmespath` library inside lists and objects.
"""

from __future__ import annotations

from typing import Any


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal."""
    # Python's own comparison comes first: it is fast, and values that it calls different are different.
    return bool(one == other) and alike(one, other)


def alike(one: Any, other: Any) -> bool:
    """Whether two values that Python calls equal have booleans in the same places."""
    kind = type(one)
    if kind is dict:
        return all(alike(value, other[key]) for key, value in one.items())
    if kind is list:
        return all(map(alike, one, other))
    return (kind is bool) is (type(other) is bool)


def holds_boolean_or_bit(value: Any) -> bool:
    """Whether a value has a boolean, 0 or 1 anywhere: only then can Python take it for an unequal one."""
    if isinstance(value, dict):
        return any(map(holds_boolean_or_bit, value.values()))
    if isinstance(value, list):
        return any(map(holds_boolean_or_bit, value))
    return isinstance(value, int | float) and value in (0, 1)
