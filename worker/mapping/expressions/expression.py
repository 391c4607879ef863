"""JMESPath expressions over an event (contract.md section 3): parsed once, compiled to Python source.

`search` evaluates an expression with the `jmespath` library and is the reference; `emit` compiles it. Both follow the
same rules:

- A function that is given null, or a type that it does not accept, makes the whole expression null. An ordering (`<`,
  `>`, ...) of anything but two numbers or two strings is itself null, as JMESPath requires.
- Any other failure (a division by zero, an invalid time) raises `ExpressionFailed`.
- `_kafka`, read from the event itself, is the record's coordinates and headers. On other values (`a._kafka`,
  `@._kafka`) it is an ordinary field. `@` at the root is the event without a field of that name.
- Equality, truth and everything else are the library's: 1 is not true, 0 is true in a condition.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from worker.mapping.compiler.lower import lower
from worker.mapping.compiler.write import write
from worker.mapping.expressions import ir, text_length
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import interpret, without_kafka
from worker.mapping.expressions.parser import (
    ExpressionError,
    Node,
    contains,
    fields_read,
    parse,
    reads_kafka,
    reads_whole,
)

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code

__all__ = ["Expression", "ExpressionError", "ExpressionFailed"]


class Expression:
    """A parsed expression.

    Attributes:
        text: as the user wrote it.
        uses_kafka: whether it reads `_kafka`.
        uses_headers: whether it reads the record's headers.
        uses_key: whether it reads the record's key.
        uses_envelope: whether it reads `_change` or `_ce`.
        asks_for_tombstones: whether it reads whether the record is a tombstone.
        fields: the event's top-level fields that it reads; None if it may read any.
        is_literal: whether it is a constant.
        node: its tree, see `parser`.
    """

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.uses_kafka = contains(node, "kafka")
        self.uses_headers = reads_kafka(node, "headers")
        self.uses_key = reads_kafka(node, "key")
        self.uses_envelope = contains(node, "envelope")
        self.asks_for_tombstones = reads_kafka(node, "tombstone")
        self.fields = None if reads_whole(node) else frozenset(fields_read(node))
        self.is_literal = node["type"] == "literal"
        self.node = node

    @classmethod
    def parse(cls, text: str, root: str | None = None) -> Expression:
        """Parse an expression.

        Args:
            text: the expression.
            root: see `parser.parse`.

        Raises:
            ExpressionError: a syntax error, a function that does not exist, a wrong number of arguments;
                with the position in the text.
        """
        return cls(text, parse(text, root=root))

    @cached_property
    def value(self) -> ir.Node:
        """The expression, lowered for its value."""
        return lower(self.node)

    @cached_property
    def condition(self) -> ir.Node:
        """The expression, lowered for whether its value is true."""
        return lower(self.node, condition=True)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def search(self, event: dict[str, Any], kafka: dict[str, Any]) -> Any:
        """Evaluate with the library; None for null.

        Raises:
            ExpressionFailed: the event has a value that the expression cannot work with.
        """
        text_length.begin()
        try:
            return interpret(self.node, without_kafka(event), kafka)
        except Mismatch:
            return None

    def emit(self, code: Code, event: str = "event", kafka: str = "kafka") -> str:
        """Write the expression into a function under construction.

        The function raises `ExpressionFailed` where `search` would. The value may be part of the event or of the
        expression, so it must not be changed.

        Args:
            code: the function.
            event: the name that holds the event, a dict.
            kafka: the name that holds what `_kafka` is, a dict; any name if `uses_kafka` is false.

        Returns:
            A Python expression for the value, to be evaluated once, in this block. `code.share` gives it a
            name.
        """
        return self._write(code, self.value, event, kafka)

    def emit_condition(self, code: Code, event: str = "event", kafka: str = "kafka") -> str:
        """As `emit`, for an `if`: the Python expression is true exactly if JMESPath calls the value true."""
        return self._write(code, self.condition, event, kafka)

    def _write(self, code: Code, lowered: ir.Node, event: str, kafka: str) -> str:
        if _makes_text(self.node):
            code.line(f"{code.constant(text_length.begin, 'begin')}()")
        return write(code, lowered, event, kafka if self.uses_kafka else "None")


def _makes_text(node: Node) -> bool:
    """Whether an expression calls a function that counts the text it makes."""
    if node["type"] == "function_expression" and node["value"] in text_length.MAKES_TEXT:
        return True
    return node["type"] != "slice" and any(map(_makes_text, node["children"]))
