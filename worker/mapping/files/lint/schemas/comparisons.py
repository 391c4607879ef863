"""Comparisons that are never true, by the types of their sides."""

from __future__ import annotations

from typing import NamedTuple

from worker.core.near_matches import did_you_mean
from worker.formats.description import NUMBER, TEXT, Description
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.evidence import as_type
from worker.mapping.files.lint.schemas.types import words_for

_EQUALITY = frozenset({"eq", "ne"})
_ORDERED = frozenset({TEXT, NUMBER})


class Mismatch(NamedTuple):
    """Why a comparison is never true, with the node to point at."""

    node: Node
    message: str
    hint: str | None = None


def mismatch(node: Node, left: Description, right: Description) -> Mismatch | None:
    """What is wrong with a comparison of values that are so described; None if it can be true."""
    if not (left.branches and right.branches):
        return None  # a comparison with null
    sides = left, right
    literal = next((at for at, child in enumerate(node["children"]) if child["type"] == "literal"), None)
    both = left.kinds & right.kinds
    if node["value"] not in _EQUALITY:
        both &= _ORDERED
    if both:
        return _no_such_word(node, literal, sides) if literal is not None else None
    if literal is None:
        one, two = words_for(left.kinds), words_for(right.kinds)
        return Mismatch(node, f"in the schema the left side is {one} and the right side is {two}")
    value, other = node["children"][literal]["value"], sides[1 - literal]
    message = (
        f"compared with {words_for(sides[literal].kinds)}, but in the schema it is {words_for(other.kinds)}"
    )
    hints = [as_type(value, kind) for kind in sorted(other.kinds)] if node["value"] in _EQUALITY else []
    return Mismatch(node, message, next((hint for hint in hints if hint), None))


def _no_such_word(node: Node, literal: int, sides: tuple[Description, Description]) -> Mismatch | None:
    """`status == 'payed'`, where the schema has an enum without that word."""
    words, child = sides[1 - literal].words, node["children"][literal]
    if words is None or child["value"] in words or node["value"] not in _EQUALITY:
        return None
    hint = did_you_mean(child["value"], words) or f"it has {', '.join(sorted(words)[:12])}"
    return Mismatch(child, f"the enum has no '{child['value']}'", hint)
