"""What the fixtures contradict: types that a field never has, misspelt names, values that `||` replaces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import text_of
from worker.mapping.files.lint import uses
from worker.mapping.files.lint.better_calls import better_call
from worker.mapping.files.lint.misspelt import misspelt
from worker.mapping.files.lint.names import path_text
from worker.mapping.files.lint.refusals import refused_findings
from worker.mapping.files.lint.spots import Spot, first_character, selected_from, walk
from worker.mapping.files.lint.values import TYPE_NAMES, kind_of
from worker.mapping.files.lint.watching import Watched

SHORTEST_TEXT = 5
"""In comparisons, only texts of at least this many characters count as misspelt texts of fixtures."""


def evidence_findings(spot: Spot, watched: Watched) -> Iterator[Problem]:
    """The findings of one expression."""
    yield from refused_findings(spot, watched.results[id(spot.node)])
    for node in walk(spot.node):
        match node["type"]:
            case "field":
                yield from _misspelt(spot, node, watched.objects[id(node)])
                yield from _of_a_list(spot, node, watched)
                if not watched.objects[id(node)]:
                    yield from uses.field_of_a_text(spot, node, watched.others[id(node)])
            case "index_expression":
                yield from uses.part_of_a_text(spot, node, watched.parts[id(node["children"][1])])
            case "comparator":
                yield from _never_that_type(spot, node, watched.sides[id(node)])
                yield from _misspelt_text(spot, node, watched)
                yield from _without_quotes(spot, node, watched.sides[id(node)])
            case "or_expression":
                yield from _replaced(spot, node, watched)
            case "function_expression":
                yield from _refused(spot, node, watched)
                if node["value"] in uses.TESTS:
                    yield from uses.looked_for(spot, node, watched.calls[id(node)])


def _misspelt(spot: Spot, node: Node, objects: list[dict[str, Any]]) -> Iterator[Problem]:
    name: str = node["value"]
    if any(name in each for each in objects):
        return
    meant = next((key for each in objects for key in each if misspelt(name, key)), None)
    if meant is not None:
        yield spot.warning(f"no fixture has '{name}' here", node["start"], f"did you mean '{meant}'?")


def _of_a_list(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """`lines.sku`, where `lines` is a list in every fixture that has it."""
    others = watched.others[id(node)]
    if others and not watched.objects[id(node)] and all(isinstance(value, list) for value in others):
        name = node["value"]
        path = text_of(selected_from(spot.node, node))
        counted = name in ("length", "size", "count")
        hint = f"write length({path})" if counted else f"write {path}[].{name} or {path}[0].{name}"
        message = f"a list has no '{name}', and it is a list in the fixtures"
        yield spot.warning(message, node["start"], hint)


def _misspelt_text(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """A text that no fixture has there, and that is close to one of a fixture which no other rule compares with."""
    literal = next((child for child in node["children"] if child["type"] == "literal"), None)
    if literal is None or node["value"] not in ("eq", "ne") or len(str(literal["value"])) < SHORTEST_TEXT:
        return
    text = literal["value"]
    found = {side for pair in watched.sides[id(node)] for side in pair if isinstance(side, str)} - {text}
    exact = any(left == right for left, right in watched.sides[id(node)])
    meant = next(
        (
            value
            for value in sorted(found - watched.texts)
            if misspelt(str(text), value) or _same_words(str(text), value)
        ),
        None,
    )
    if isinstance(text, str) and not exact and meant is not None:
        yield spot.warning(f"no fixture has '{text}' here", literal["start"], f"did you mean '{meant}'?")


def _same_words(one: str, other: str) -> bool:
    """Whether two texts differ only by case and by what stands between words: `order_paid`, `order.paid `."""
    return _words(one) == _words(other) != []


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _without_quotes(spot: Spot, node: Node, sides: list[tuple[Any, Any]]) -> Iterator[Problem]:
    """`type == order.paid`, where no fixture has the field `order.paid` and one has that text on the other side."""
    for position, child in enumerate(node["children"]):
        text = path_text(child)
        missing = text is not None and all(pair[position] is None for pair in sides)
        if missing and any(pair[1 - position] == text for pair in sides):
            message = f"{text} is a field here, and no fixture has it"
            yield spot.warning(message, first_character(child), f"for the text write '{text}'")


def _never_that_type(spot: Spot, node: Node, sides: list[tuple[Any, Any]]) -> Iterator[Problem]:
    kinds = {
        (TYPE_NAMES[type(left)], TYPE_NAMES[type(right)])
        for left, right in sides
        if left is not None and right is not None
    }
    if not kinds or any(left == right for left, right in kinds):
        return
    literal = next((child for child in node["children"] if child["type"] == "literal"), None)
    if literal is None:
        (left, right), *_ = kinds
        message = f"in the fixtures the left side is {left} and the right side is {right}"
        yield spot.warning(message, node["start"], _one_of(node, left, right))
        return
    position = node["children"].index(literal)
    found = sorted({pair[1 - position] for pair in kinds})
    if _compared_types(spot.node, path_text(node["children"][1 - position])) & set(found):
        return  # the mapping expects either type
    value = literal["value"]
    message = f"compared with {TYPE_NAMES[type(value)]}, but in the fixtures it is {' or '.join(found)}"
    hint = as_type(value, found[0]) or _in_a_list(node, position, found)
    yield spot.warning(message, node["start"], hint)


def _compared_types(tree: Node, path: str | None) -> set[str]:
    """The types of the literals that an expression compares a path with."""
    comparisons = [node["children"] for node in walk(tree) if node["type"] == "comparator"] if path else []
    return {
        TYPE_NAMES[type(literal["value"])]
        for left, right in comparisons
        for side, literal in ((left, right), (right, left))
        if path_text(side) == path and literal["type"] == "literal" and type(literal["value"]) in TYPE_NAMES
    }


_BOOLEANS = {"true": ("true", "yes", "on", "1"), "false": ("false", "no", "off", "0")}
"""Booleans, and what they are called elsewhere."""


def as_type(value: Any, kind: str) -> str | None:
    """How the literal is written as a value of the type that the field has."""
    if kind == "a string" and type(value) in (int, float, bool):
        return f"write '{str(value).lower() if type(value) is bool else value}'"
    if kind == "a boolean":
        meant = next((word for word, same in _BOOLEANS.items() if str(value).lower() in same), None)
        return f"write `{meant}`" if meant else None
    if kind == "a number" and type(value) is str:
        try:
            float(value)
        except ValueError:
            return None
        return f"write `{value}`"
    return None


def _one_of(node: Node, left: str, right: str) -> str | None:
    """For `type == ['a', 'b']`."""
    one, other = node["children"]
    if node["value"] != "eq" or "a list" not in (left, right):
        return None
    return f"write contains({text_of(other)}, {text_of(one)})" if right == "a list" else None


def _in_a_list(node: Node, position: int, found: list[str]) -> str | None:
    """For `lines[].sku == 'a'` and `lines[?gift].sku == 'a'`: of all values, or of the first."""
    literal, other = node["children"][position], node["children"][1 - position]
    if found != ["a list"]:
        return None
    if other["type"] == "filter_projection":
        first = {"type": "pipe", "children": [other, {"type": "index", "value": 0, "children": []}]}
        sides = [literal if side is literal else first for side in node["children"]]
        return f"write {text_of({**node, 'children': sides})}"
    return f"write contains({text_of(other)}, {text_of(literal)})" if node["value"] == "eq" else None


def _replaced(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    for index, child in enumerate(node["children"][1:]):
        if child["type"] != "literal" or node["children"][index]["type"] == "and_expression":
            continue  # `a && b || c` chooses between b and c
        replaced = [
            value
            for value in watched.operands[id(node), index]
            if value in (False, "", [], {}) and type(value) in (bool, str, list, dict)
        ]
        if replaced and not _is_same(replaced[0], child["value"]):
            what = "false" if replaced[0] is False else "empty"
            instead = f"write default({text_of(node['children'][index])}, {text_of(child)})"
            message = f"`||` replaces the left side, which is {what} in a fixture and not missing"
            yield spot.warning(message, node["operators"][index], instead)
            return


def _is_same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _refused(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """A call that no fixture's values fit: the whole expression is null then."""
    joined = list(_joined(spot, node, watched.calls[id(node)]))
    yield from joined
    if watched.refused[id(node)] and id(node) not in watched.worked and not joined:
        given = ", ".join(str(kind_of(each)) for each in watched.refused[id(node)][0])
        message = (
            f"{node['value']}() is given {given} in the fixtures, which it does not take: the result is null"
        )
        yield spot.warning(message, node["start"], better_call(node, watched.refused[id(node)][0]))


def _joined(spot: Spot, node: Node, calls: list[list[Any]]) -> Iterator[Problem]:
    lists = [arguments[1] for arguments in calls] if node["value"] == "join" else []
    items = [item for each in lists if isinstance(each, list) for item in each]
    if any(type(item) in (int, float) for item in items):
        hint = _concatenated(node)
        message = "join() takes texts only, and a number is joined in a fixture: the result is null"
        yield spot.warning(message, node["start"], hint)


def _concatenated(node: Node) -> str:
    """`join('-', [a, b])` as `concat(a, '-', b)`."""
    separator, texts = node["children"]
    if texts["type"] != "multi_select_list":
        return f"write join({text_of(separator)}, map(&to_string(@), {text_of(texts)}))"
    between = "" if separator.get("value") == "" else f"{text_of(separator)}, "
    return f"write concat({f', {between}'.join(map(text_of, texts['children']))})"
