"""How much text the functions of an expression may make: `limits.text_length`, one limit for the process.

The length of a text is computed before the text is made: 60 kB of text, each character replaced by all of it, would be
3.6 GB. A function that is called for each item of a list makes many texts, so an expression has a limit for all of its
texts together as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.mapping.expressions.failures import ExpressionFailed

if TYPE_CHECKING:
    from worker.mapping.expressions.parser import Node

MAX_LENGTH = 1_000_000
"""Characters: the default of `limits.text_length`, thirty times what a call may hold."""

ALL_TEXTS = 10
"""So many times the limit is what one expression may make in all: some 40 MB by default, at 4 bytes a character."""

MAKES_TEXT = frozenset({"join", "replace", "to_string"})
"""The functions whose text can be much longer than the event: they call `check`."""


class _Made:
    """The limit, and how many characters the expression that is being evaluated has made. Mapping has one thread."""

    limit = MAX_LENGTH
    characters = 0


def set_limit(characters: int) -> None:
    """Set the limit for every expression of the process."""
    _Made.limit = characters


def begin() -> None:
    """An expression is about to be evaluated."""
    _Made.characters = 0


def check(function: str, length: int) -> None:
    """A function is about to make a text of so many characters.

    Raises:
        ExpressionFailed: that is more than the limit, for this text or for all of the expression.
    """
    _Made.characters += length
    if length > _Made.limit or _Made.characters > ALL_TEXTS * _Made.limit:
        raise ExpressionFailed(f"{function}(): the text would be longer than limits.text_length")


def json_length(value: Any) -> int:
    """How long the JSON text of a value is at least: without what is escaped, and with one digit for each number.

    Counting ends beyond the limit, even where a value holds others many times.
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


def makes_text(node: Node) -> bool:
    """Whether an expression calls a function that calls `check`."""
    if node["type"] == "function_expression" and node["value"] in MAKES_TEXT:
        return True
    return node["type"] != "slice" and any(map(makes_text, node["children"]))
