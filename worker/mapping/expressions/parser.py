"""Parses expressions with the library's parser, and checks here what the library checks only at run time.

The tree is the library's (`jmespath.ast`), with four changes:

- `_kafka`, where it is read from the event itself, is a node of its own, `kafka`;
- so is the envelope's root, `_change` or `_ce`, in a mapping file with such an envelope: `envelope`;
- `a || b || c` is one node with three children, as is `a && b && c`;
- a chain of pipes is one node.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from typing import Any

from jmespath import ast, exceptions
from jmespath.parser import Parser

from worker.mapping.expressions import functions
from worker.mapping.expressions.foreign_names import function_hint

Node = dict[str, Any]

MOST_LEVELS = 100
"""How deep an expression may nest. Far below Python's recursion limit of 1,000, since some functions take several
frames a level."""

UNQUOTED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A field's name that needs no quotes (the grammar's unquoted-string)."""

_CHAINS = frozenset({"or_expression", "and_expression", "pipe"})
_FIRST_CHILD_ONLY = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection"}
)


class ExpressionError(Exception):
    """The text is not a valid expression.

    Attributes:
        message: what is wrong with it.
        position: where, as an index into the text, from 0.
        hint: what to write instead, where that is known.
    """

    def __init__(self, message: str, position: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint


def parse(text: str, *, positions: bool = False, root: str | None = None) -> Node:
    """Parse an expression that is evaluated on an event.

    Args:
        text: the expression.
        root: the name by which an expression reads the envelope of its event, such as `_change`; None for no envelope.
        positions: whether each node has the key `start`: an index into the text, of the operator where the node has
            one, of the node's first character otherwise. A chain of `||` or `&&` also has `operators`, the index of
            each operator; a field that is written in double quotes has `quoted`; what stands in parentheses has
            `grouped`.

    Raises:
        ExpressionError: with the position of the fault.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", PendingDeprecationWarning
            )  # `bare` text as a literal: still allowed
            tree = (_PositionedParser() if positions else _Parser()).parse(text)
        tree = _normal(tree, on_event=True, level=0)
        return tree if root is None else _with_envelope(tree, root)
    except exceptions.JMESPathError as fault:
        raise _translated(fault, text) from None
    except RecursionError:
        raise ExpressionError(f"nested deeper than {MOST_LEVELS} levels", 0) from None
    except ValueError:  # an integer of more digits than Python reads
        raise ExpressionError("a number is too large", 0) from None


def same_place(node: Node) -> list[Node]:
    """The children that are evaluated on the same value as the node itself."""
    children: list[Node] = node["children"]
    if node["type"] in _FIRST_CHILD_ONLY:
        return children[:1]
    return [] if node["type"] in ("slice", "expref") else children


def fields_read(node: Node) -> set[str]:
    """The fields that the node reads from the very value it is evaluated on."""
    if node["type"] == "field":
        return {node["value"]}
    return set().union(*map(fields_read, same_place(node)))


def reads_whole(node: Node) -> bool:
    """Whether the node uses the value it is evaluated on other than by reading its fields."""
    if node["type"] in ("current", "identity"):
        return True
    return any(map(reads_whole, same_place(node)))


def _with_envelope(node: Node, root: str) -> Node:
    """The tree with nodes `envelope` in place of the field `root`, where that is read from the event itself."""
    if node["type"] == "field":
        return {**node, "type": "envelope"} if node["value"] == root else node
    here = len(same_place(node))
    children: list[Node] = node["children"]
    return {**node, "children": [*(_with_envelope(each, root) for each in children[:here]), *children[here:]]}


def contains(node: Node, kind: str) -> bool:
    """Whether a node of this kind is somewhere in the tree."""
    if node["type"] == kind:
        return True
    return node["type"] != "slice" and any(contains(child, kind) for child in node["children"])


def reads_kafka(node: Node, name: str) -> bool:
    """Whether the node reads this field of `_kafka`, or `_kafka` as a whole."""
    if node["type"] == "kafka":
        return True
    children: list[Node] = [] if node["type"] == "slice" else node["children"]
    if node["type"] == "subexpression" and children[0]["type"] == "kafka" and children[1]["type"] == "field":
        return bool(children[1]["value"] == name)
    return any(reads_kafka(child, name) for child in children)


def levels(node: Node) -> int:
    """How deep the tree is."""
    if node["type"] == "slice":
        return 1
    return 1 + max(map(levels, node["children"]), default=0)


class _Parser(Parser):  # type: ignore[misc] # the library has no types
    """The library's parser, which also finds, with their position, errors that the library finds only at run time."""

    def parse(self, text: str) -> Node:
        tree: Node = self._do_parse(text).parsed  # without the library's cache, whose trees are shared
        return tree

    def _token_led_lparen(self, left: Node) -> Node:
        token = self._lookahead_token(-2)
        if left["type"] != "field" or token["type"] != "unquoted_identifier":
            raise ExpressionError("only a name can be called, such as length(items)", token["start"])
        name: str = left["value"]
        if functions.arity(name) is None:
            hint = function_hint(name)
            raise ExpressionError(
                f"there is no function {name}()" + (f": {hint}" if hint else ""), token["start"]
            )
        arguments, starts = self._arguments(name)
        _check_arity(name, len(arguments), token["start"])
        _check_literals(name, arguments, starts)
        call: Node = ast.function_expression(name, arguments)
        return call

    def _arguments(self, name: str) -> tuple[list[Node], list[int]]:
        """The arguments, and where each begins."""
        arguments: list[Node] = []
        starts: list[int] = []
        while self._current_token() != "rparen":
            if arguments:
                self._match("comma")
            start = self._lookahead_token(0)["start"]
            argument = self._expression()
            if (argument["type"] == "expref") != functions.takes_expression(name, len(arguments)):
                wanted = "an expression after &" if argument["type"] != "expref" else "a value, not &"
                raise ExpressionError(f"argument {len(arguments) + 1} of {name}() is {wanted}", start)
            arguments.append(argument)
            starts.append(start)
        self._match("rparen")
        return arguments, starts

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> Node:
        if self._current_token() == "lparen":
            raise ExpressionError("a function's name must not be quoted", token["start"])
        field: Node = ast.field(token["value"])
        return field

    def _token_nud_literal(self, token: dict[str, Any]) -> Node:
        if not _is_json(token["value"]):
            raise ExpressionError("JSON has no such number", token["start"])
        literal: Node = ast.literal(token["value"])
        return literal

    def _token_nud_expref(self, token: dict[str, Any]) -> Node:
        return {**super()._token_nud_expref(token), "position": token["start"]}

    def _parse_slice_expression(self) -> Node:
        start = self._lookahead_token(0)["start"]
        node: Node = super()._parse_slice_expression()
        if node["children"][2] == 0:
            raise ExpressionError("a slice's step must not be 0", start)
        return node


class _PositionedParser(_Parser):
    """The same, with the position of each node."""

    def _expression(self, binding_power: int = 0) -> Node:
        token = self._lookahead_token(0)
        self._advance()
        begin: Any = getattr(self, f"_token_nud_{token['type']}", self._error_nud_token)
        left: Node = begin(token)
        left.setdefault("start", token["start"])
        while binding_power < self.BINDING_POWER[self._current_token()]:
            operator = self._lookahead_token(0)
            go_on: Callable[[Node], Node] | None = getattr(self, f"_token_led_{operator['type']}", None)
            if go_on is None:
                return left  # the caller reports a token that does not belong here
            self._advance()
            start = left["start"] if operator["type"] in _NO_OPERATORS else operator["start"]
            left = go_on(left)
            left.setdefault("start", start)
        return left

    def _token_nud_quoted_identifier(self, token: dict[str, Any]) -> Node:
        return {**super()._token_nud_quoted_identifier(token), "quoted": True}

    def _token_nud_lparen(self, token: dict[str, Any]) -> Node:
        return {**super()._token_nud_lparen(token), "grouped": True}


_NO_OPERATORS = frozenset({"dot", "lparen", "lbracket", "filter", "flatten"})
"""Tokens after an expression that begin no second operand: the whole starts where the expression does."""


def _check_arity(name: str, given: int, position: int) -> None:
    found = functions.arity(name)
    assert found is not None
    least, most = found
    if least <= given and (most is None or given <= most):
        return
    wanted = f"at least {least}" if most is None else str(least) if most == least else f"{least} to {most}"
    plural = "" if least == (most or least) == 1 else "s"
    raise ExpressionError(f"{name}() takes {wanted} argument{plural}, not {given}", position)


def _check_literals(name: str, arguments: list[Node], starts: list[int]) -> None:
    values = [each["value"] if each["type"] == "literal" else functions.COMPUTED for each in arguments]
    try:
        functions.check_literals(name, values)
    except functions.InvalidArgumentError as error:
        raise ExpressionError(error.message, starts[error.index], error.hint) from None


def _is_json(value: Any) -> bool:
    """Whether a literal holds finite numbers only: Python's JSON reader knows NaN and Infinity too."""
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(map(_is_json, value))
    return all(map(_is_json, value.values())) if type(value) is dict else True


def _normal(node: Node, *, on_event: bool, level: int, argument: bool = False) -> Node:
    """The tree as the module's docstring has it."""
    kind = node["type"]
    if level > MOST_LEVELS:
        raise ExpressionError(f"nested deeper than {MOST_LEVELS} levels", 0)
    if kind == "field" and node["value"] == "_kafka" and on_event:
        return {**node, "type": "kafka"}
    if kind == "slice":
        return node
    if kind == "expref" and not argument:
        raise ExpressionError("& belongs before an argument of a function", node["position"])
    children, operators = _chain(node) if kind in _CHAINS else (node["children"], {})
    here = len(same_place({**node, "children": children}))
    return {
        **node,
        **operators,
        "children": [
            _normal(
                child,
                on_event=on_event and index < here,
                level=level + 1,
                argument=kind == "function_expression",
            )
            for index, child in enumerate(children)
        ],
    }


def _chain(node: Node) -> tuple[list[Node], dict[str, list[int]]]:
    """The operands of `a || b || c`, which the parser nests to the left; the operators' positions, if known."""
    operands: list[Node] = []
    starts: list[int] = []
    left = node
    while left["type"] == node["type"]:
        starts += [left["start"]] if "start" in left else []
        left, right = left["children"]
        operands.append(right)
    return [left, *reversed(operands)], {"operators": starts[::-1]} if starts else {}


def _translated(fault: exceptions.JMESPathError, text: str) -> ExpressionError:
    """The library's error as one sentence, without its multi-line drawing of the position."""
    if isinstance(fault, exceptions.EmptyExpressionError):
        return ExpressionError("the expression is empty", 0)
    if isinstance(fault, exceptions.IncompleteExpressionError):
        return ExpressionError("the expression ends too early", len(text))
    if isinstance(fault, exceptions.LexerError):
        return ExpressionError(_lexical(fault.message, text, fault.lexer_position), fault.lexer_position)
    if isinstance(fault, exceptions.ParseError):
        position: int = fault.lex_position
        if position >= len(text):
            return ExpressionError("the expression ends too early", len(text))
        return ExpressionError(f"{text[position : position + 1]!r} is not expected here", position)
    return ExpressionError("not an expression", 0)


def _lexical(message: str, text: str, position: int) -> str:
    """Describe an error in a single token."""
    opening = text[position : position + 1]
    if message.startswith("Unclosed"):
        return f"this {opening} is never closed"
    if opening == "`":
        return "the text between backticks must be JSON"
    if opening == '"':
        return "not a name: it is quoted as JSON quotes text"
    if opening == "=":
        return "= is not an operator: equality is =="
    return f"{opening!r} is not valid here"
