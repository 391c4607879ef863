"""Evaluation by the `jmespath` library: the reference, and the fallback for what is not compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jmespath.exceptions import JMESPathTypeError
from jmespath.visitor import Options, TreeInterpreter

from worker.mapping.expressions.equality import same
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.functions import REGISTRY
from worker.mapping.expressions.tables import look_up

if TYPE_CHECKING:
    from worker.mapping.expressions.parser import Node

_OPTIONS = Options(custom_functions=REGISTRY)


def without_kafka(event: dict[str, Any]) -> dict[str, Any]:
    """The value of `@` at the root: the event without a field called `_kafka`."""
    if "_kafka" not in event:
        return event
    return {name: value for name, value in event.items() if name != "_kafka"}


class Variables:
    """What expressions are evaluated on: a record, and `$names`. A `let` is evaluated when it is first used, and kept.

    Args:
        event: the event.
        kafka: the value of the node `kafka`.
        item: what `$item` is.
        index: what `$index` is.
        known: the values of `let`s, by the `number` of their expressions.
    """

    def __init__(
        self,
        event: dict[str, Any],
        kafka: Any,
        item: Any = None,
        index: int | None = None,
        known: Mapping[int, Any] | None = None,
    ) -> None:
        self.event = event
        self.kafka = kafka
        self._loop = {"item": item, "index": index}
        self._values = dict(known or {})

    def value(self, node: Node) -> Any:
        """The value of a node `variable`."""
        let = node.get("let")  # an `Expression`
        if let is None:
            return self._loop[node["value"]]
        if let.number not in self._values:
            self._values[let.number] = self.found(let.node)
        return self._values[let.number]

    def found(self, node: Node) -> Any:
        """The value of a whole expression; None for null.

        Raises:
            ExpressionFailed: the event has a value that the expression cannot work with.
        """
        try:
            return interpret(node, without_kafka(self.event), self.kafka, self)
        except Mismatch:
            return None

    def of_item(self, item: Any, index: int) -> Variables:
        """The same for an item of `for_each`."""
        variables = Variables(self.event, self.kafka, item, index)
        variables._values = self._values
        return variables


def interpret(node: Node, value: Any, kafka: Any, variables: Variables | None = None) -> Any:
    """Evaluate a tree from `parser.parse`.

    Args:
        node: the tree.
        value: what it is evaluated on; `without_kafka(event)` at the root.
        kafka: the value of the node `kafka`, with that of the node `envelope` under `ENVELOPE`.
        variables: the values of `$names`; None for a tree without them.

    Raises:
        Mismatch: a function was given null, or a type that it does not accept.
        ExpressionFailed: a function was given an invalid value.
    """
    try:
        return Interpreter(kafka, variables).visit(node, value)
    except JMESPathTypeError:
        raise Mismatch from None  # its text quotes the value
    except RecursionError:
        raise ExpressionFailed("the event nests too deeply for this expression") from None


ENVELOPE = "\0envelope"
"""The key of `kafka` under which the value of the node `envelope` is, beside what `_kafka` is for expressions."""


class Interpreter(TreeInterpreter):  # type: ignore[misc] # the library has no types
    """The library's interpreter, for the trees of `parser`."""

    COMPARATOR_FUNC: ClassVar[dict[str, Any]] = {
        **TreeInterpreter.COMPARATOR_FUNC,
        "eq": same,
        "ne": lambda one, other: not same(one, other),
    }

    def __init__(self, kafka: Any, variables: Variables | None = None) -> None:
        super().__init__(_OPTIONS)
        self._kafka = kafka
        self._variables = variables

    def visit_kafka(self, _node: Node, _value: Any) -> Any:
        """What `_kafka` is."""
        if self._kafka is None or ENVELOPE not in self._kafka:
            return self._kafka
        return {name: value for name, value in self._kafka.items() if name != ENVELOPE}

    def visit_envelope(self, _node: Node, _value: Any) -> Any:
        """What `_change` or `_ce` is."""
        return (self._kafka or {}).get(ENVELOPE) or {}

    def visit_variable(self, node: Node, _value: Any) -> Any:
        """What a `let`, `$item` or `$index` is."""
        assert self._variables is not None
        return self._variables.value(node)

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        """A function's value; or that of one of `functions.FORMS`, which decides what is evaluated."""
        match node["value"]:
            case "if":
                return self._if(node, value)
            case "default" | "try" as name:
                return self._default(node, value, catches=name == "try")
            case "lookup":
                table, key = (self.visit(child, value) for child in node["children"])
                return look_up(node.get("tables", {}), table, key)
        return super().visit_function_expression(node, value)

    def _if(self, node: Node, value: Any) -> Any:
        condition, then, otherwise = node["children"]
        return self.visit(then if self._is_true(self._or_null(condition, value)) else otherwise, value)

    def _default(self, node: Node, value: Any, *, catches: bool) -> Any:
        first, otherwise = node["children"]
        try:
            found = self._or_null(first, value)
        except ExpressionFailed:
            if not catches:
                raise
            found = None
        return self.visit(otherwise, value) if found is None else found

    def _or_null(self, node: Node, value: Any) -> Any:
        """A value, or null where a function in it is given a wrong type."""
        try:
            return self.visit(node, value)
        except (Mismatch, JMESPathTypeError):
            return None

    def visit_or_expression(self, node: Node, value: Any) -> Any:
        """The first of several operands that is true, or the last."""
        result = None
        for child in node["children"]:
            result = self.visit(child, value)
            if self._is_true(result):
                break
        return result

    def visit_and_expression(self, node: Node, value: Any) -> Any:
        """The first of several operands that is false, or the last."""
        result = None
        for child in node["children"]:
            result = self.visit(child, value)
            if self._is_false(result):
                break
        return result

    def visit_comparator(self, node: Node, value: Any) -> Any:
        """Null where text is compared with a number."""
        try:
            return super().visit_comparator(node, value)
        except TypeError:  # the library does not catch Python's error for a string against a number
            return None
