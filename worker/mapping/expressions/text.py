"""A tree of `parser` as text again: for naming a part of an expression."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from worker.mapping.expressions.parser import UNQUOTED_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.mapping.expressions.parser import Node

PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
"""A path of names that need no quotes."""

_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_JOINED = {"or_expression": " || ", "and_expression": " && ", "pipe": " | "}
_TIGHT = frozenset(
    {"field", "kafka", "envelope", "current", "literal", "subexpression", "index_expression", "projection"}
)
_TIGHT |= {"value_projection", "filter_projection", "flatten", "function_expression", "multi_select_list"}
_TIGHT |= {"multi_select_dict", "identity", "index", "slice", "variable"}
"""Nodes that need no parentheses inside others."""


def text_of(node: Node) -> str:
    """An expression with this tree. The tree holds no positions, so spaces and quotes may differ from the user's."""
    kind: str = node["type"]
    if kind in _WORDS:
        return _WORDS[kind](node["value"]) if "value" in node else _WORDS[kind](None)
    children: list[Node] = node["children"]
    if kind in _JOINED:
        return _JOINED[kind].join(map(_inner, children))
    if kind in _WHOLE:
        return _WHOLE[kind](node, children)
    return _steps(kind, children)


_WHOLE: dict[str, Callable[[Node, list[Any]], str]] = {
    "slice": lambda _, bounds: "[" + ":".join("" if each is None else str(each) for each in bounds) + "]",
    "comparator": lambda node, sides: f"{_inner(sides[0])} {_COMPARISONS[node['value']]} {_inner(sides[1])}",
    "not_expression": lambda _, children: f"!{_inner(children[0])}",
    "expref": lambda _, children: f"&{text_of(children[0])}",
    "function_expression": lambda node, arguments: f"{_function(node)}({', '.join(map(text_of, arguments))})",
    "multi_select_list": lambda _, children: f"[{', '.join(map(text_of, children))}]",
    "multi_select_dict": lambda _, pairs: (
        "{" + ", ".join(f"{name_of(each['value'])}: {text_of(each['children'][0])}" for each in pairs) + "}"
    ),
}


def _function(node: Node) -> str:
    name: str = node["value"]
    return name.partition(" ")[0]  # see functions.texts.COUNTING


def _steps(kind: str, children: list[Node]) -> str:
    """A path: each child is evaluated on what the one before finds."""
    text = _inner(children[0])
    if kind == "flatten":
        return f"{text}[]"
    rights = children[1:]
    if kind == "filter_projection":
        text, rights = f"{text}[?{text_of(children[2])}]", children[1:2]
    elif kind == "value_projection":
        text = f"{text}.*" if text else "*"
    elif kind == "projection" and not _has_brackets(children[0]):
        text = f"{text}[*]"
    for node in rights:
        right = _inner(node)
        joins = not text or not right or (right[0] == "[" and node["type"] != "multi_select_list")
        text += right if joins else f".{right}"
    return text


def _has_brackets(node: Node) -> bool:
    """Whether a projection's brackets are its left side's own: `a[]` and `a[1:]`."""
    kind: str = node["type"]
    return kind == "flatten" or (kind == "index_expression" and node["children"][1]["type"] == "slice")


def _inner(node: Node) -> str:
    text = text_of(node)
    return text if node["type"] in _TIGHT else f"({text})"


def name_of(name: str) -> str:
    """A field's name as expressions write it."""
    return name if UNQUOTED_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _literal(value: Any) -> str:
    if isinstance(value, str) and "'" not in value and "\\" not in value:
        return f"'{value}'"
    written = json.dumps(value, ensure_ascii=False).replace("`", "\\`")
    return f"`{written}`"


_WORDS: dict[str, Callable[[Any], str]] = {
    "current": lambda _: "@",
    "identity": lambda _: "",
    "variable": lambda name: f"${name}",
    "kafka": lambda _: "_kafka",
    "envelope": name_of,
    "field": name_of,
    "literal": _literal,
    "index": lambda value: f"[{value}]",
}


def concatenation(parts: Sequence[str]) -> str:
    """The expression that joins the values of these expressions as one text."""
    return f"concat({', '.join(parts)})"


def filled(text: str, placeholder: re.Pattern[str]) -> str:
    """The expression that fills the placeholders of a text; the pattern's first group is what is inside of one."""
    parts = enumerate(placeholder.split(text))
    return concatenation(
        [part.strip() if position % 2 else _literal(part) for position, part in parts if part]
    )
