"""The official compliance suite, by the library and compiled.

An event is always an object, so every case is asked of `{"given": input}` as `given | expression`; where the
input is an object, also as it stands.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.expressions import by_library, compiled, compiled_condition, is_true
from worker.mapping.expressions.expression import Expression, ExpressionError

SUITE = Path(__file__).parent / "compliance"

Case = tuple[Any, dict[str, Any]]


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(suite["given"], case, id=f"{file.stem}-{number}-{case['expression']}")
        for file in sorted(SUITE.glob("*.json"))
        for number, (suite, case) in enumerate(
            (suite, case) for suite in json.loads(file.read_text()) for case in suite["cases"]
        )
        if kind in case
    ]


def outcomes(expression: Expression, event: dict[str, Any]) -> list[Any]:
    return [by_library(expression, event, {}), compiled(expression, event, {})]


def test_the_suite_is_whole() -> None:
    assert (len(cases("result")), len(cases("error"))) == (742, 150)


@pytest.mark.parametrize(("given", "case"), cases("result"))
def test_every_result_is_the_suites(given: Any, case: dict[str, Any]) -> None:
    piped = Expression.parse(f"given | {case['expression']}")
    assert outcomes(piped, {"given": given}) == [case["result"]] * 2
    assert compiled_condition(piped, {"given": given}, {}) == is_true(case["result"])
    if isinstance(given, dict):
        assert outcomes(Expression.parse(case["expression"]), given) == [case["result"]] * 2


@pytest.mark.parametrize(("given", "case"), cases("error"))
def test_every_fault_is_found_or_null(given: Any, case: dict[str, Any]) -> None:
    try:
        expression = Expression.parse(case["expression"])
    except ExpressionError as fault:
        assert 0 <= fault.position <= len(case["expression"])  # noqa: PT017 - either this or null
    else:
        assert case["error"] == "invalid-type"
        assert outcomes(Expression.parse(f"given | {expression.text}"), {"given": given}) == [None, None]
