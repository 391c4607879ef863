"""The grammar of expressions: JMESPath's, by the library's parser, and `$name`.

The library's parser has a method for each token: `_token_nud_*` for one that begins an expression, `_token_led_*` for
one that follows an expression. What is not overridden here is JMESPath as the library has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from jmespath import ast, exceptions
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult, Parser

from worker.mapping.expressions import functions
from worker.mapping.expressions.failures import ExpressionError
from worker.mapping.expressions.foreign_names import function_hint

Node = dict[str, Any]
"""A node of the tree: `type`, `children`, and `value` for those that have one."""


class _Lexer(Lexer):  # type: ignore[misc] # the library has no types
    """The library's tokens, and `$`, which the library refuses everywhere outside quotes."""

    SIMPLE_TOKENS: ClassVar[dict[str, str]] = {**Lexer.SIMPLE_TOKENS, "$": "dollar"}


class Grammar(Parser):  # type: ignore[misc] # the library has no types
    """The library's parser, which also finds, with their position, errors that the library finds only at run time."""

    BINDING_POWER: ClassVar[dict[str, int]] = {**Parser.BINDING_POWER, "dollar": 0}

    def parse(self, text: str) -> Node:
        """The text's tree."""
        tree: Node = self._do_parse(text).parsed  # without the library's cache, whose trees are shared
        return tree

    def _parse(self, expression: str) -> ParsedResult:
        """As the library's, with our tokens."""
        self._tokens = list(_Lexer().tokenize(expression))
        self._index = 0
        tree = self._expression()
        if self._current_token() != "eof":
            token = self._lookahead_token(0)
            raise exceptions.ParseError(token["start"], token["value"], token["type"])
        return ParsedResult(expression, tree)

    def _token_nud_dollar(self, token: dict[str, Any]) -> Node:
        """`$name`: the name follows without a space."""
        name = self._lookahead_token(0)
        if name["type"] != "unquoted_identifier" or name["start"] != token["end"]:
            raise ExpressionError("'$' is not valid here", token["start"])
        self._advance()
        return {"type": "variable", "children": [], "value": name["value"], "start": token["start"]}

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
        return {**ast.function_expression(name, arguments), "start": token["start"]}

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


class PositionedGrammar(Grammar):
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
