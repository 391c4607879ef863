"""Runs an expression both ways, so that tests can compare them."""

from __future__ import annotations

import warnings
from typing import Any

from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression, ExpressionFailed

FAILED = "<failed>"
"""What stands for an `ExpressionFailed`: no expression gives this text."""


def by_library(expression: Expression, event: dict[str, Any], kafka: dict[str, Any]) -> Any:
    """The value, or `FAILED`."""
    try:
        return expression.search(event, kafka)
    except ExpressionFailed:
        return FAILED


def compiled(expression: Expression, event: dict[str, Any], kafka: dict[str, Any]) -> Any:
    """The same by the function that the expression compiles to."""
    code = Code()
    with code.record():
        code.line(f"return {expression.emit(code)}")
    return _run(code, event, kafka)


def compiled_condition(expression: Expression, event: dict[str, Any], kafka: dict[str, Any]) -> Any:
    """Whether the compiled condition holds, or `FAILED`."""
    code = Code()
    with code.record():
        code.line(f"return bool({expression.emit_condition(code)})")
    return _run(code, event, kafka)


def outcome(text: str, **event: Any) -> Any:
    """The value of an expression, or `FAILED`: the same on both ways, and the same after each."""
    expression = Expression.parse(text)
    value = by_library(expression, event, {})
    again = compiled(expression, event, {})
    assert (again, type(again)) == (value, type(value))
    holds = compiled_condition(expression, event, {})
    assert holds == (FAILED if value == FAILED else is_true(value))
    return value


def is_true(value: Any) -> bool:
    """JMESPath's truth, word for word."""
    return not (value is None or value is False or value in ("", [], {}))


def _run(code: Code, event: dict[str, Any], kafka: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the compiler of Python must not wonder about our source
        function = code.build("evaluate", "event, kafka")
    try:
        return function(event, kafka)
    except ExpressionFailed:
        return FAILED
