"""The types that functions accept: each returns the value, or raises `Mismatch`."""

from __future__ import annotations

from typing import Any

from worker.mapping.expressions.failures import ExpressionFailed, Mismatch


def text_of(value: object) -> str:
    """Text."""
    if type(value) is not str:
        raise Mismatch
    return value


def number_of(value: object) -> float:
    """A number; true and false are none."""
    if type(value) is not int and type(value) is not float:
        raise Mismatch
    return value


def whole_of(name: str, value: object) -> int:
    """A whole number, also written `2.0`. Raises `ExpressionFailed` for a fraction."""
    number = number_of(value)
    if type(number) is float and not number.is_integer():
        raise ExpressionFailed(f"{name}(): not a whole number")
    return int(number)


def object_of(value: object) -> dict[str, Any]:
    """An object."""
    if type(value) is not dict:
        raise Mismatch
    return value


def texts_of(value: object) -> list[str]:
    """A list of texts."""
    if type(value) is not list or not all(type(each) is str for each in value):
        raise Mismatch
    return value


def utf8_of(name: str, value: object) -> bytes:
    """Text as UTF-8. Raises `ExpressionFailed` for half of a surrogate pair."""
    try:
        return text_of(value).encode()
    except UnicodeEncodeError:
        raise ExpressionFailed(f"{name}(): the text is not valid Unicode") from None
