"""What the fixtures contradict in how values are used: a field or a part of text, arguments in the wrong order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions import functions
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import text_of
from worker.mapping.files.lint.names import path_text
from worker.mapping.files.lint.spots import Spot, first_character, selected_from, walk
from worker.mapping.files.lint.values import kind_of

TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "starts_with": lambda text, part: isinstance(text, str) and text.startswith(part),
    "ends_with": lambda text, part: isinstance(text, str) and text.endswith(part),
    "contains": lambda text, part: isinstance(text, (str, list)) and part in text,
}
"""Functions that look for their second argument in the first."""

_PROJECTIONS = frozenset({"projection", "filter_projection", "value_projection"})


def field_of_a_text(spot: Spot, node: Node, others: Sequence[Any]) -> Iterator[Problem]:
    """`name.upper` and `name | upper`, where the name is text in every fixture."""
    if others and all(isinstance(value, str) for value in others):
        name: str = node["value"]
        function = {"upcase": "upper", "downcase": "lower", "size": "length"}.get(name, name)
        hint = (
            f"write {function}({text_of(selected_from(spot.node, node))})"
            if functions.arity(function) is not None
            else None
        )
        yield spot.warning(f"text has no '{name}', and it is text in the fixtures", node["start"], hint)


def part_of_a_text(spot: Spot, node: Node, values: Sequence[Any]) -> Iterator[Problem]:
    """`iban[0:2]` and `lines[].title[0]`, where no fixture has a list there."""
    if values and not any(isinstance(value, list) for value in values):
        kind = "text" if isinstance(values[0], str) else kind_of(values[0])
        message = f"[...] selects from lists, and this is {kind} in the fixtures"
        items = [each["children"][1] for each in walk(spot.node) if each["type"] in _PROJECTIONS]
        of_each = any(below is node for item in items for below in walk(item))
        hint = (
            f"to select from the whole list write {_after_a_pipe(spot.node, node)}"
            if of_each
            else _part(node)
            if isinstance(values[0], str)
            else None
        )
        yield spot.warning(message, first_character(node), hint)


def _after_a_pipe(tree: Node, node: Node) -> str:
    """`lines[].title[0]` as `lines[].title | [0]`, if that is the end of the expression."""
    selected = text_of(node["children"][1])
    whole = text_of(tree)
    return f"{whole.removesuffix(selected)} | {selected}" if whole.endswith(selected) else f"| {selected}"


def _part(node: Node) -> str | None:
    """`iban[0:2]` as `substring(...)`."""
    base, part = node["children"]
    if part["type"] != "slice":
        return None
    start, end, step = part["children"]
    if (start or 0) < 0 or (end or 0) < 0 or step not in (None, 1):
        return None
    begin = start or 0
    length = f"`{end - begin}`" if end is not None else f"length({text_of(base)})"
    return f"write substring({text_of(base)}, `{begin}`, {length})"


def looked_for(spot: Spot, node: Node, calls: Sequence[Sequence[Any]]) -> Iterator[Problem]:
    """`starts_with('+49', number)`, and `contains(tags, vip)` without quotes.

    Args:
        spot: the expression.
        node: the call of a function of `TESTS`.
        calls: its arguments in the fixtures.
    """
    if not calls:
        return
    test = TESTS[node["value"]]
    text, part = node["children"]
    if text["type"] == "literal" and not any(_holds(test, *call) for call in calls):
        if any(isinstance(second, str) and _holds(test, second, first) for first, second in calls):
            hint = f"it comes second: {node['value']}({text_of(part)}, {text_of(text)})"
            yield spot.warning(f"{node['value']}() finds nothing in this text", node["start"], hint)
        return
    name = path_text(part)
    missing = name is not None and all(second is None for _, second in calls)
    if missing and any(_holds(test, first, name) for first, _ in calls):
        message = f"{name} is a field here, and no fixture has it"
        yield spot.warning(message, first_character(part), f"for the text write '{name}'")


def _holds(test: Callable[[Any, Any], bool], text: Any, part: Any) -> bool:
    return isinstance(part, str) and test(text, part)
