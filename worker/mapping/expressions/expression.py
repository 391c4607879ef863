"""JMESPath expressions over an event (docs/mapping.md): parsed once, compiled to Python source.

`search` evaluates an expression with the `jmespath` library and is the reference; `emit` compiles it. Both follow the
same rules:

- A function that is given null, or a type that it does not accept, makes the whole expression null. An ordering (`<`,
  `>`, ...) of anything but two numbers or two strings is itself null, as JMESPath requires.
- Any other failure (a division by zero, an invalid time) raises `ExpressionFailed`.
- `_kafka`, read from the event itself, is the record's coordinates and headers. On other values (`a._kafka`,
  `@._kafka`) it is an ordinary field. `@` at the root is the event without a field of that name.
- `$name` is the value of an expression of its own, evaluated on the whole event, at most once a record.
- Equality, truth and everything else are the library's: 1 is not true, 0 is true in a condition.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, Any

from worker.mapping.compiler.lower import lower
from worker.mapping.compiler.write import write
from worker.mapping.expressions import ir, text_length
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.interpreter import Variables
from worker.mapping.expressions.names import Names, bind, lets_used
from worker.mapping.expressions.parser import (
    ExpressionError,
    Node,
    contains,
    fields_read,
    levels,
    parse,
    reads_kafka,
    reads_whole,
)

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code

__all__ = ["Expression", "ExpressionError", "ExpressionFailed"]


_numbers = itertools.count()


class Expression:
    """A parsed expression.

    Attributes:
        text: as the user wrote it.
        number: no other expression has it; higher than those of the expressions that its `$names` stand for.
        lets: the expressions that its `$names` stand for, and those that these use.
        uses_kafka: whether it reads `_kafka`.
        uses_headers: whether it reads the record's headers.
        uses_key: whether it reads the record's key.
        asks_for_tombstones: whether it reads whether the record is a tombstone.
        fields: the event's top-level fields that it reads itself; None if it may read any.
        is_literal: whether it is a constant.
        makes_text: whether a function in it can make long text.
        levels: how deep it nests.
        node: its tree, see `parser`.
    """

    def __init__(self, text: str, node: Node) -> None:
        lets: list[Expression] = lets_used(node)
        self.lets: frozenset[Expression] = frozenset(lets).union(*(let.lets for let in lets))
        self.text = text
        self.number = next(_numbers)
        self.uses_kafka: bool = contains(node, "kafka") or any(let.uses_kafka for let in lets)
        self.uses_headers: bool = reads_kafka(node, "headers") or any(let.uses_headers for let in lets)
        self.uses_key: bool = reads_kafka(node, "key") or any(let.uses_key for let in lets)
        self.asks_for_tombstones: bool = reads_kafka(node, "tombstone") or any(
            let.asks_for_tombstones for let in lets
        )
        self.fields = None if reads_whole(node) else frozenset(fields_read(node))
        self.is_literal = node["type"] == "literal"
        self.makes_text: bool = _makes_text(node) or any(let.makes_text for let in lets)
        self.levels = levels(node)
        self.node = node

    @classmethod
    def parse(cls, text: str, names: Names | None = None) -> Expression:
        """Parse an expression.

        Args:
            text: the expression.
            names: what `$names` and tables it can use.

        Raises:
            ExpressionError: a syntax error, a function or name that does not exist, a wrong number of arguments;
                with the position in the text.
        """
        names = names or Names()
        node = parse(text, root=names.root)
        bind(node, names)
        return cls(text, node)

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
        return self.evaluate(Variables(event, kafka))

    def evaluate(self, variables: Variables) -> Any:
        """As `search`; with the same `variables` for all expressions of a record, each `let` is evaluated once."""
        text_length.begin()
        return variables.found(self.node)

    def emit(self, code: Code) -> str:
        """Write the expression into a function under construction, whose locals `event` and `kafka` it reads.

        The function raises `ExpressionFailed` where `search` would. The value may be part of the event or of the
        expression, so it must not be changed.

        Returns:
            A Python expression for the value, to be evaluated once, in this block. `code.share` gives it a
            name.
        """
        return self._write(code, self.value)

    def emit_condition(self, code: Code) -> str:
        """As `emit`, for an `if`: the Python expression is true exactly if JMESPath calls the value true."""
        return self._write(code, self.condition)

    def _write(self, code: Code, lowered: ir.Node) -> str:
        if self.makes_text:
            code.line(f"{code.constant(text_length.begin, 'begin')}()")
        return write(code, lowered)


def _makes_text(node: Node) -> bool:
    """Whether an expression calls a function that counts the text it makes."""
    if node["type"] == "function_expression" and node["value"] in text_length.MAKES_TEXT:
        return True
    return node["type"] != "slice" and any(map(_makes_text, node["children"]))
