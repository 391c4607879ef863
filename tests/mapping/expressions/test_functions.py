"""Our functions: what they give, what they refuse, and how (null, or a failure)."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import jmespath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.expressions import FAILED, outcome
from worker.core import timestamps
from worker.mapping.expressions.expression import ExpressionFailed
from worker.mapping.expressions.functions import numbers, times

finite = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
not_numbers: st.SearchStrategy[Any] = st.none() | st.booleans() | st.lists(st.integers()) | st.just({})
not_texts: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.lists(st.text()) | st.just({})
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lower('ÀB c')", "àb c"),
        ("upper('àb ß')", "ÀB SS"),
        ("trim('\t a b \u00a0')", "a b"),
        ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("split('', ',')", [""]),
        ("split('user@example.com', '@')[1]", "example.com"),
        ("replace('a-b-c', '-', '')", "abc"),
        ("sha256('abc')", hashlib.sha256(b"abc").hexdigest()),
        ("sha256(lower(trim(' A@B.c ')))", hashlib.sha256(b"a@b.c").hexdigest()),
        ("epoch_seconds('2026-11-21T10:00:00Z')", 1795255200),
        ("epoch_seconds('2026-11-21T12:00:00.999+02:00')", 1795255200),
        ("epoch_seconds('1969-12-31T23:59:59.5Z')", -1),
        ("epoch_seconds(`1795255200123`)", 1795255200),
        ("epoch_seconds(`1795255200`)", 1795255200),
        ("rfc3339(`1795255200`)", "2026-11-21T10:00:00.000Z"),
        ("rfc3339(`1795255200123`)", "2026-11-21T10:00:00.123Z"),
        ("rfc3339(`1795255200.123`)", "2026-11-21T10:00:00.123Z"),
        ("rfc3339(`-0.001`)", "1969-12-31T23:59:59.999Z"),
        ("add(`1`, `2`)", 3),
        ("add(`0.5`, `2`)", 2.5),
        ("subtract(`1`, `2`)", -1),
        ("multiply(`3`, `1.5`)", 4.5),
        ("divide(`1999`, `100`)", 19.99),
        ("divide(`2000`, `100`)", 20),
        ("divide(`9007199254740995`, `5`)", 1801439850948199),
        ("round(`2.675`, `2`)", 2.68),
        ("round(`-2.5`, `0`)", -3),
        ("round(`19.994`, `2`)", 19.99),
        ("round(`1250`, `-2`)", 1300),
        ("round(`7`, `2`)", 7),
        ("round(`1e300`, `2`)", 1e300),
    ],
)
def test_functions_give(text: str, value: Any) -> None:
    found = outcome(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        "split('a', '')",
        "replace('a', '', 'b')",
        'sha256(`"\\ud800"`)',
        "epoch_seconds('yesterday')",
        "epoch_seconds(`1.5`)",
        "rfc3339(`1e300`)",
        "add(`1e308`, `1e308`)",
        "subtract(`-1e308`, `1e308`)",
        "multiply(`1e200`, `1e200`)",
        f"multiply(`{10**400}`, `0.5`)",
        "divide(`1`, `0`)",
        "divide(`0.0`, `0.0`)",
        f"divide(`{10**400}`, `3`)",
        "round(`1.5`, `0.5`)",
        "round(`1.5`, `16`)",
        "sum(`[1e308, 1e308]`)",
        "avg(`[1e308, 1e308]`)",
    ],
)
def test_a_value_that_a_function_cannot_work_with_is_a_failure(text: str) -> None:
    assert outcome(text) == FAILED


@given(value=not_texts)
@pytest.mark.parametrize(
    "text",
    [
        "lower(a)",
        "upper(a)",
        "trim(a)",
        "split(a, 'x')",
        "split('x', a)",
        "replace(a, 'x', 'y')",
        "sha256(a)",
    ],
)
def test_text_functions_of_anything_else_are_null(text: str, value: Any) -> None:
    assert outcome(text, a=value) is None


@given(value=not_numbers)
@pytest.mark.parametrize(
    "text",
    ["rfc3339(a)", "add(a, `1`)", "subtract(`1`, a)", "multiply(a, a)", "divide(a, `1`)", "round(a, `1`)"],
)
def test_number_functions_of_anything_else_are_null(text: str, value: Any) -> None:
    assert outcome(text, a=value) is None


@given(left=finite, right=finite)
@example(left=10**400, right=0.5)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "round"])
def test_arithmetic_is_finite_or_fails(name: str, left: float, right: float) -> None:
    found = outcome(f"{name}(a, b)", a=left, b=right)
    assert found == FAILED or type(found) is int or math.isfinite(found)


@given(value=st.floats(-1e15, 1e15), digits=st.integers(0, 6))
def test_rounding_moves_by_half_a_digit_at_most(value: float, digits: int) -> None:
    found = numbers.round_(value, digits)
    assert abs(found - value) <= 0.5 * 10**-digits * (1 + 1e-9) + math.ulp(value)
    assert numbers.round_(found, digits) == found


@given(millis=st.integers(timestamps.MILLIS_FROM, 250_000_000_000_000))
def test_times_go_there_and_back(millis: int) -> None:
    assert times.epoch_seconds(times.rfc3339(millis)) == millis // 1000


NO_NUMBERS = [
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "12x",
    "1_000",
    "+5",
    ".5",
    "5.",
    "05",
    "-05",
    "0x10",
    "1e",
    "1.e5",
    "-",
    "٣",
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "05", "-05", "", " 5", "5\n", "1 000"])
def test_text_that_is_not_a_json_number_becomes_null(text: str) -> None:
    assert outcome("to_number(a)", a=text) is None


@pytest.mark.parametrize("text", ["0", "-0", "12", "-1.50", "1e3", "1.25E-2", "123456789012345678901"])
def test_text_that_is_a_number_in_json_is_that_number(text: str) -> None:
    assert outcome("to_number(a)", a=text) == json.loads(text)


@given(text=st.text("0123456789+-.eE_ ", max_size=6))
def test_to_number_accepts_json_numbers(text: str) -> None:
    try:
        number = json.loads(text) if text == text.strip() else None
    except ValueError:
        number = None
    assert outcome("to_number(a)", a=text) == (None if number in (math.inf, -math.inf) else number)


@pytest.mark.parametrize("text", ["contains('abc', `1`)", "merge(`{}`, `1`)", "merge(`{}`, `[[1, 2]]`)"])
def test_types_that_the_library_does_not_look_at_are_null_too(text: str) -> None:
    assert outcome(text) is None


@given(value=st.none() | st.booleans() | finite | st.text() | st.lists(finite))
def test_to_string_is_the_librarys(value: Any) -> None:
    assert outcome("to_string(a)", a=value) == jmespath.search("to_string(a)", {"a": value})


def test_an_error_does_not_quote_the_value() -> None:
    with pytest.raises(ExpressionFailed) as failure:
        times.epoch_seconds("secret@example.com")
    assert "secret" not in str(failure.value)
    assert failure.value.__context__ is None or failure.value.__suppress_context__
