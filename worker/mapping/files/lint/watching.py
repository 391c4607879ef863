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
from worker.mapping.files.lint.samples import Sample
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
        results: for the whole expression of a field, its values in the fixtures that expect no rejection.
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

    def __init__(self, sample: Sample, watched: Watched, lets: Sequence[Spot]) -> None:
        super().__init__(sample.kafka)
        self._event = without_kafka(sample.event or {})
        self._rejected = sample.rejected
        self._watched = watched
        self._file = {str(spot.path[-1]): spot for spot in lets if spot.rule < 0}
        self._lets = self._file | {str(spot.path[-1]): spot for spot in lets if spot.rule >= 0}
        self._values: dict[int, Any] = {}
        self._loop: dict[str, Any] = {"item": None, "index": None}

    def whole(self, spot: Spot) -> Any:
        """The value of an expression; None if it fails."""
        try:
            value = self.visit(spot.node, self._event)
        except (Mismatch, ExpressionFailed, RecursionError):
            value = None
        self._watched.results[id(spot.node)] += [] if self._rejected else [value]
        return value

    def for_each(self, items: Spot, spot: Spot) -> None:
        """Evaluate an expression for each item of a list."""
        found = self.whole(items)
        for index, item in enumerate(found if isinstance(found, list) else []):
            self._loop = {"item": item, "index": index}
            self.whole(spot)

    def visit_variable(self, node: Node, _value: Any) -> Any:
        name = node["value"]
        if name in self._loop:
            return self._loop[name]
        spot = self._lets.get(name)
        if spot is None:
            return None  # the reader reports it
        if id(spot) not in self._values:
            self._values[id(spot)] = None  # where names need each other
            visible = self._lets
            self._lets = self._file if spot.rule < 0 else visible
            self._values[id(spot)] = self.whole(spot)
            self._lets = visible
        return self._values[id(spot)]

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
        if node["value"] in _LAZY:
            return super().visit_function_expression(node, value)
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


def watch(document: Document, spots: Sequence[Spot], samples: Sequence[Sample]) -> Watched:
    """Map the events as far as rules and expressions go.

    Args:
        document: the mapping file.
        spots: its expressions.
        samples: the fixtures' records of its topics.
    """
    every = (node["value"] for spot in spots for node in walk(spot.node) if node["type"] == "literal")
    watched = Watched(texts=frozenset(value for value in every if isinstance(value, str)))
    of_rule: defaultdict[int, list[Spot]] = defaultdict(list)
    for spot in spots:
        of_rule[spot.rule].append(spot)
    for sample in samples:
        for index, rule in rules_of(document):
            own = [*of_rule[-1], *of_rule[index]]
            watching = _Watching(sample, watched, [spot for spot in own if spot.is_let])
            when = [spot for spot in own if spot.is_condition]
            if _matches(rule, when, sample.event, watching):
                _watch_calls([spot for spot in own if not (spot.is_let or spot.is_condition)], rule, watching)
                break
    return watched


def _matches(
    rule: dict[str, Any], when: list[Spot], event: dict[str, Any] | None, watching: _Watching
) -> bool:
    if "when" not in rule:
        return event is not None
    value = watching.whole(when[0]) if when else None
    return bool(value) or (value == 0 and value is not False)


def _watch_calls(fields: list[Spot], rule: dict[str, Any], watching: _Watching) -> None:
    """Evaluate the fields of a rule's calls, with the file's defaults if there are calls."""
    lists = {spot.path[:-1]: spot for spot in fields if spot.is_list}
    for spot in fields:
        items = next((each for path, each in lists.items() if spot.path[: len(path)] == path), None)
        if items is not None and items is not spot:
            watching.for_each(items, spot)
        elif spot.rule >= 0 or "call" in rule or "calls" in rule:
            watching.whole(spot)


_LAZY = frozenset({"if", "default", "try"})
