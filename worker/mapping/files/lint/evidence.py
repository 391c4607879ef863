"""What the fixtures contradict: types that a field never has, names that none of them has, values that `||` replaces.

Every fixture of the file's topics goes through the rules as a record would: each `when` is evaluated until one is
true, and all other expressions of that rule are. What each node was evaluated on is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathTypeError

from worker.documents.document import Document
from worker.documents.problems import Problem
from worker.mapping.expressions import functions
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import Interpreter, without_kafka
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint import uses
from worker.mapping.files.lint.misspelt import misspelt
from worker.mapping.files.lint.names import path_text
from worker.mapping.files.lint.spots import Spot, first_character, rules_of, walk

SHORTEST_TEXT = 5
"""Characters of a text in a comparison from which on a near one in a fixture is taken for what was meant."""

_TYPES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


@dataclass(slots=True)
class Watched:
    """What nodes were evaluated on, by the node's identity.

    Attributes:
        objects: for a field, the objects that it was looked up in.
        others: for a field, the other values that it was asked of.
        sides: for a comparison, the values of its sides.
        operands: for `||`, the values of each operand that was evaluated, by its position.
        joined: for `join`, its lists.
        refused: for a function, the types of the arguments that it could not take, none of them null.
        worked: the functions that had a result.
        parts: for `[...]`, the values other than null that it was asked of.
        calls: for `starts_with`, `ends_with` and `contains`, their arguments.
        texts: every literal text of the file's expressions.
    """

    objects: defaultdict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    others: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    sides: defaultdict[int, list[tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(list))
    operands: defaultdict[tuple[int, int], list[Any]] = field(default_factory=lambda: defaultdict(list))
    joined: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    refused: defaultdict[int, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    worked: set[int] = field(default_factory=set)
    parts: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    calls: defaultdict[int, list[tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(list))
    texts: frozenset[str] = frozenset()


class _Watching(Interpreter):
    """Evaluates an expression, and keeps what its nodes were evaluated on."""

    def __init__(self, kafka: dict[str, Any], watched: Watched) -> None:
        super().__init__(kafka)
        self._watched = watched

    def visit_field(self, node: Node, value: Any) -> Any:
        if isinstance(value, dict):
            self._watched.objects[id(node)].append(value)
        elif value is not None:
            self._watched.others[id(node)].append(value)
        return super().visit_field(node, value)

    def visit_index(self, node: Node, value: Any) -> Any:
        if value is not None:
            self._watched.parts[id(node)].append(value)
        return super().visit_index(node, value)

    def visit_slice(self, node: Node, value: Any) -> Any:
        if value is not None:
            self._watched.parts[id(node)].append(value)
        return super().visit_slice(node, value)

    def visit_comparator(self, node: Node, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self._watched.sides[id(node)].append((left, right))
        return super().visit_comparator(node, value)

    def visit_or_expression(self, node: Node, value: Any) -> Any:
        result = None
        for index, child in enumerate(node["children"]):
            result = self.visit(child, value)
            self._watched.operands[id(node), index].append(result)
            if self._is_true(result):
                break
        return result

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        arguments = [
            None if child["type"] == "expref" else self.visit(child, value) for child in node["children"]
        ]
        if node["value"] == "join":
            self._watched.joined[id(node)].append(arguments[1])
        elif node["value"] in uses.TESTS:
            self._watched.calls[id(node)].append((arguments[0], arguments[1]))
        given = [kind for kind in map(_kind, arguments) if kind]
        try:
            result = super().visit_function_expression(node, value)
        except (Mismatch, JMESPathTypeError):
            if len(given) == len(arguments):
                self._watched.refused[id(node)].append(given)
            raise
        self._watched.worked.add(id(node))
        return result


def watch(
    document: Document, spots: Sequence[Spot], records: Sequence[tuple[dict[str, Any] | None, dict[str, Any]]]
) -> Watched:
    """Map the events as far as rules and expressions go.

    Args:
        document: the mapping file.
        spots: its expressions.
        records: the event, None for a tombstone, and `_kafka` of each record of its topics.
    """
    every = (node["value"] for spot in spots for node in walk(spot.node) if node["type"] == "literal")
    watched = Watched(texts=frozenset(value for value in every if isinstance(value, str)))
    for event, kafka in records:
        for index, rule in rules_of(document):
            when = [spot for spot in spots if spot.rule == index and spot.is_condition]
            if not _matches(rule, when, event, kafka, watched):
                continue
            for spot in spots:
                if spot.rule == index and not spot.is_condition:
                    _evaluate(spot, event, kafka, watched)
            break
    return watched


def _matches(
    rule: dict[str, Any],
    when: list[Spot],
    event: dict[str, Any] | None,
    kafka: dict[str, Any],
    watched: Watched,
) -> bool:
    if "when" not in rule:
        return event is not None
    value = _evaluate(when[0], event, kafka, watched) if when else None
    return bool(value) or (value == 0 and value is not False)


def _evaluate(spot: Spot, event: dict[str, Any] | None, kafka: dict[str, Any], watched: Watched) -> Any:
    try:
        return _Watching(kafka, watched).visit(spot.node, without_kafka(event or {}))
    except (Mismatch, ExpressionFailed, RecursionError):
        return None


def evidence_findings(spot: Spot, watched: Watched) -> Iterator[Problem]:
    """The findings of one expression."""
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
                yield from uses.looked_for(spot, node, watched.calls[id(node)])


def _misspelt(spot: Spot, node: Node, objects: list[dict[str, Any]]) -> Iterator[Problem]:
    name: str = node["value"]
    if any(name in each for each in objects):
        return
    meant = next((key for each in objects for key in each if misspelt(name, key)), None)
    if meant is not None:
        yield spot.warning(f"no fixture has '{name}' here", node["start"], f"did you mean '{meant}'?")


def _kind(value: Any) -> str | None:
    """A value's type in words, with that of a list's items; None for null."""
    if isinstance(value, list) and value and type(value[0]) in _TYPES:
        return f"a list of {_TYPES[type(value[0])].partition(' ')[2]}s"
    return _TYPES.get(type(value))


def _of_a_list(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """`lines.sku`, where `lines` is a list in every fixture that has it."""
    others = watched.others[id(node)]
    if others and not watched.objects[id(node)] and all(isinstance(value, list) for value in others):
        name = node["value"]
        hint = (
            "length(...) counts them"
            if name in ("length", "size", "count")
            else f"write [].{name} or [0].{name}"
        )
        message = f"a list has no '{name}', and it is a list in the fixtures"
        yield spot.warning(message, node["start"], hint)


def _misspelt_text(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """A text that no fixture has there, and that one has misspelt; not if a rule asks for that one too."""
    literal = next((child for child in node["children"] if child["type"] == "literal"), None)
    if literal is None or node["value"] not in ("eq", "ne") or len(str(literal["value"])) < SHORTEST_TEXT:
        return
    text = literal["value"]
    found = {side for pair in watched.sides[id(node)] for side in pair if isinstance(side, str)} - {text}
    exact = any(left == right for left, right in watched.sides[id(node)])
    meant = next((value for value in sorted(found - watched.texts) if misspelt(str(text), value)), None)
    if isinstance(text, str) and not exact and meant is not None:
        yield spot.warning(f"no fixture has '{text}' here", literal["start"], f"did you mean '{meant}'?")


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
        (_TYPES[type(left)], _TYPES[type(right)])
        for left, right in sides
        if left is not None and right is not None
    }
    if not kinds or any(left == right for left, right in kinds):
        return
    literal = next((child for child in node["children"] if child["type"] == "literal"), None)
    if literal is None:
        (left, right), *_ = kinds
        message = f"in the fixtures the left side is {left} and the right side is {right}"
        yield spot.warning(message, node["start"])
        return
    position = node["children"].index(literal)
    found = sorted({pair[1 - position] for pair in kinds})
    if _compared_types(spot.node, path_text(node["children"][1 - position])) & set(found):
        return  # the mapping expects either type
    value = literal["value"]
    message = f"compared with {_TYPES[type(value)]}, but in the fixtures it is {' or '.join(found)}"
    yield spot.warning(message, node["start"], _as_type(value, found[0]))


def _compared_types(tree: Node, path: str | None) -> set[str]:
    """The types of the literals that an expression compares a path with."""
    comparisons = [node["children"] for node in walk(tree) if node["type"] == "comparator"] if path else []
    return {
        _TYPES[type(literal["value"])]
        for left, right in comparisons
        for side, literal in ((left, right), (right, left))
        if path_text(side) == path and literal["type"] == "literal" and type(literal["value"]) in _TYPES
    }


def _as_type(value: Any, kind: str) -> str | None:
    """How the literal is written as a value of the type that the field has."""
    if kind == "a string" and type(value) in (int, float, bool):
        return f"write '{str(value).lower() if type(value) is bool else value}'"
    if kind == "a boolean" and value in ("true", "false"):
        return f"write `{value}`"
    if kind == "a number" and type(value) is str:
        try:
            float(value)
        except ValueError:
            return None
        return f"write `{value}`"
    return None


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
            instead = "default(a, b) replaces null only" if functions.arity("default") is not None else None
            message = f"`||` replaces the left side, which is {what} in a fixture and not missing"
            yield spot.warning(message, node["operators"][index], instead)
            return


def _is_same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _refused(spot: Spot, node: Node, watched: Watched) -> Iterator[Problem]:
    """A call that no fixture's values fit: the whole expression is null then."""
    joined = list(_joined(spot, node, watched.joined[id(node)]))
    yield from joined
    if watched.refused[id(node)] and id(node) not in watched.worked and not joined:
        given = ", ".join(watched.refused[id(node)][0])
        message = (
            f"{node['value']}() is given {given} in the fixtures, which it does not take: the result is null"
        )
        yield spot.warning(message, node["start"])


def _joined(spot: Spot, node: Node, lists: list[Any]) -> Iterator[Problem]:
    items = [item for each in lists if isinstance(each, list) for item in each]
    if any(type(item) in (int, float) for item in items):
        known = functions.arity("concat") is not None
        hint = "concat(a, b) takes numbers too" if known else "to_string(n) makes a number text"
        message = "join() takes texts only, and a number is joined in a fixture: the result is null"
        yield spot.warning(message, node["start"], hint)
