"""Evaluation by the `jmespath` library: the reference, and the fallback for what is not compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from jmespath.exceptions import JMESPathTypeError
from jmespath.visitor import Options, TreeInterpreter

from worker.mapping.expressions.equality import same
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.functions import REGISTRY

if TYPE_CHECKING:
    from worker.mapping.expressions.parser import Node

_OPTIONS = Options(custom_functions=REGISTRY)


def without_kafka(event: dict[str, Any]) -> dict[str, Any]:
    """The value of `@` at the root: the event without a field called `_kafka`."""
    if "_kafka" not in event:
        return event
    return {name: value for name, value in event.items() if name != "_kafka"}


def interpret(node: Node, value: Any, kafka: Any) -> Any:
    """Evaluate a tree from `parser.parse`.

    Args:
        node: the tree.
        value: what it is evaluated on; `without_kafka(event)` at the root.
        kafka: the value of the node `kafka`, with that of the node `envelope` under `ENVELOPE`.

    Raises:
        Mismatch: a function was given null, or a type that it does not accept.
        ExpressionFailed: a function was given an invalid value.
    """
    try:
        return Interpreter(kafka).visit(node, value)
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

    def __init__(self, kafka: Any) -> None:
        super().__init__(_OPTIONS)
        self._kafka = kafka

    def visit_kafka(self, _node: Node, _value: Any) -> Any:
        """What `_kafka` is."""
        if self._kafka is None or ENVELOPE not in self._kafka:
            return self._kafka
        return {name: value for name, value in self._kafka.items() if name != ENVELOPE}

    def visit_envelope(self, _node: Node, _value: Any) -> Any:
        """What `_change` or `_ce` is."""
        return (self._kafka or {}).get(ENVELOPE) or {}

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
