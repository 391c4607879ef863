"""Maps the fixtures as far as rules and expressions go, and keeps what each node of them was evaluated on.

Every fixture of the file's topics goes through the rules as a record would: each `when` is evaluated until one is
true, and all other expressions of that rule are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathTypeError

from worker.documents.document import Document
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import Interpreter, without_kafka
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.spots import Spot, rules_of, walk


@dataclass(slots=True)
class Watched:
    """What nodes were evaluated on, by the node's identity.

    Attributes:
        objects: for a field, the objects that it was looked up in.
        others: for a field, the other values that it was asked of.
        sides: for a comparison, the values of its sides.
        operands: for `||`, the values of each operand that was evaluated, by its position.
        calls: for a function, its arguments; None for one that is an expression.
        refused: for a function, those of its arguments that it could not take, though none was null.
        worked: the functions that had a result.
        parts: for `[...]`, the values other than null that it was asked of.
        beside: for a literal, the objects that it was evaluated on.
        results: for a whole expression, its values.
        texts: every literal text of the file's expressions.
    """

    objects: defaultdict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    others: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    sides: defaultdict[int, list[tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(list))
    operands: defaultdict[tuple[int, int], list[Any]] = field(default_factory=lambda: defaultdict(list))
    calls: defaultdict[int, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    refused: defaultdict[int, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))
    worked: set[int] = field(default_factory=set)
    parts: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    beside: defaultdict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    results: defaultdict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
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

    def visit_literal(self, node: Node, value: Any) -> Any:
        if isinstance(value, dict):
            self._watched.beside[id(node)].append(value)
        return super().visit_literal(node, value)

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
        self._watched.calls[id(node)].append(arguments)
        try:
            result = super().visit_function_expression(node, value)
        except (Mismatch, JMESPathTypeError):
            if None not in arguments:
                self._watched.refused[id(node)].append(arguments)
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
        value = _Watching(kafka, watched).visit(spot.node, without_kafka(event or {}))
    except (Mismatch, ExpressionFailed, RecursionError):
        value = None
    watched.results[id(spot.node)].append(value)
    return value
