"""What to write instead of a condition that is the same for every event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from worker.core.near_matches import closest
from worker.mapping.expressions.parser import UNQUOTED_NAME, Node
from worker.mapping.expressions.text import text_of
from worker.mapping.files.lint.terms import RETURNED, TYPE_NAMES

_OTHER_TYPE_NAMES = {
    **dict.fromkeys(("int", "integer", "float", "double", "decimal", "numeric"), "number"),
    **dict.fromkeys(("str", "text", "varchar"), "string"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("list", "tuple"), "array"),
    **dict.fromkeys(("dict", "map", "struct", "hash"), "object"),
    **dict.fromkeys(("nil", "None", "undefined", "nonetype"), "null"),
}
"""Names of types in other languages."""

_FOLDED: dict[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "trim": str.strip}


def better_condition(node: Node, topics: Sequence[str] | None) -> str | None:
    """What was probably meant; None if that is not known.

    Args:
        node: the condition.
        topics: the file's topics; None if they are patterns.
    """
    match node["type"]:
        case "or_expression":
            return _either(node["children"])
        case "and_expression":
            return _both(node["children"])
        case "comparator":
            return _comparison(node, topics)
    return None


def _either(children: Sequence[Node]) -> str | None:
    comparisons = [child for child in children if child["type"] == "comparator"]
    texts = [child for child in children if child["type"] == "literal"]
    if comparisons and texts:
        concrete = " || ".join(_asked(child, comparisons[0]) for child in children)
        return f"each side of || is a condition of its own: {concrete}"
    if len(comparisons) == len(children) and all(child["value"] == "ne" for child in children):
        return "join them with &&"
    return None


def _asked(child: Node, comparison: Node) -> str:
    """A text that stands alone, as the comparison beside it; anything else as it is."""
    if child["type"] != "literal":
        return text_of(child)
    sides = [child if side["type"] == "literal" else side for side in comparison["children"]]
    return text_of({**comparison, "children": sides})


def _both(children: Sequence[Node]) -> str | None:
    if all(child["type"] == "comparator" and child["value"] != "ne" for child in children):
        return "for either of them write ||"
    texts = {text_of(child) for child in children}
    for child in children:
        opposite = text_of(_opposite(child))
        if opposite in texts:
            return f"{text_of(child)} and {opposite} are never both true: remove one"
    return None


def _opposite(node: Node) -> Node:
    if node["type"] == "not_expression":
        inner: Node = node["children"][0]
        return inner
    if node["type"] == "comparator" and node["value"] in ("eq", "ne"):
        return {**node, "value": "ne" if node["value"] == "eq" else "eq"}
    return {"type": "not_expression", "children": [node]}


def _comparison(node: Node, topics: Sequence[str] | None) -> str | None:
    left, right = node["children"]
    negated = next((side for side in (left, right) if side["type"] == "not_expression"), None)
    if negated is not None and negated is left:
        meant = _opposite({**node, "children": [negated["children"][0], right]})
        return f"write {text_of(meant)}"
    if left["type"] == "literal" and right["type"] == "literal":
        return _for_the_field(node)
    literal, other = (left, right) if left["type"] == "literal" else (right, left)
    if literal["type"] != "literal":
        return None
    if other["type"] == "current" and literal["value"] is None and node["value"] == "eq":
        return "a tombstone is told by _kafka.tombstone"
    value = _meant_value(other, literal["value"], topics)
    return None if value is None else f"write {text_of({**literal, 'value': value})}"


def _for_the_field(node: Node) -> str | None:
    """`'type' == 'order.paid'`: the name of a field in single quotes."""
    left, right = node["children"]
    name = left["value"]
    if not (isinstance(name, str) and UNQUOTED_NAME.fullmatch(name)):
        return None
    field = {"type": "field", "value": name, "children": []}
    return f"for the event's field write {text_of({**node, 'children': [field, right]})}"


def _meant_value(other: Node, value: Any, topics: Sequence[str] | None) -> Any:
    """The literal that the other side can be; None if it is not known."""
    if text_of(other) == "_kafka.topic":
        near = closest(str(value), topics or [])
        return near or (topics[0] if topics and len(topics) == 1 else None)
    if other["type"] != "function_expression" or not isinstance(value, str):
        return None
    name = other["value"]
    if name == "type":
        return _OTHER_TYPE_NAMES.get(value) or closest(value, TYPE_NAMES)
    if name in _FOLDED:
        return _FOLDED[name](value)
    return _from_text(value, RETURNED.get(name))


def _from_text(text: str, wanted: type | None) -> Any:
    """A text that was written for a number or a boolean."""
    if wanted is bool:
        return {"true": True, "false": False}.get(text.lower())
    if wanted not in (int, float):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else number
