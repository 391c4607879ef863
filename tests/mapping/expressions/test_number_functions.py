"""Arithmetic in decimal, on numbers and on text that is a number; `format_number`."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.expressions import FAILED, outcome

cents = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("add('12.50', '0.50')", 13),
        ("add('12.50', `1`)", 13.5),
        ("add(`0.1`, `0.2`)", 0.3),
        ("add(`0.5`, `0.5`)", 1),
        ("subtract('1', '0.9')", 0.1),
        ("subtract('5', '5.00')", 0),
        ("multiply('19.99', `100`)", 1999),
        ("multiply(`19.99`, `100`)", 1999),
        ("multiply('1e3', '1E-3')", 1),
        ("divide('1999', '100')", 19.99),
        ("divide('1', '3')", 1 / 3),
        ("divide('10.0', `4`)", 2.5),
        ("round('2.675', `2`)", 2.68),
        ("round('-2.5', `0`)", -3),
        ("round('2', `2`)", 2),
        ("round('1e300', `2`)", 1e300),
        ("add('18446744073709551615', `0`)", 2**64 - 1),
        ("add('18446744073709551616', `0`)", float(2**64)),
        ("add('-9223372036854775808', '0')", -(2**63)),
        ("add('1e-400', '0')", 0.0),
        ("multiply('-0', `5`)", 0),
        ("format_number('9.5', `2`)", "9.50"),
        ("format_number(`9.5`, `2`)", "9.50"),
        ("format_number(`2.675`, `2`)", "2.68"),
        ("format_number(`-2.5`, `0`)", "-3"),
        ("format_number(`-0.001`, `2`)", "0.00"),
        ("format_number(`1234567`, `1`)", "1234567.0"),
        ("format_number(`12`, `0`)", "12"),
        ("format_number(`1e21`, `0`)", "1000000000000000000000"),
        ("format_number('1e-30', `3`)", "0.000"),
        ("format_number(`5`, `20`)", "5.00000000000000000000"),
        ("format_number('0.5', `2.0`)", "0.50"),
    ],
)
def test_numbers_are_computed_in_decimal(text: str, value: Any) -> None:
    found = outcome(text)
    assert (found, type(found)) == (value, type(value))


NO_NUMBERS = [
    "",
    " 5",
    "5 ",
    "+5",
    "1,5",
    "1.234,56",
    "1_000",
    "NaN",
    "Infinity",
    "1e",
    ".5",
    "0x10",
    "٣",
    "-",
]


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, "12.50 EUR", "1" * 1001, "1e99999999999999999999"])
@pytest.mark.parametrize("text", ["add(a, `1`)", "divide(`1`, a)", "round(a, `1`)", "format_number(a, `1`)"])
def test_text_that_is_no_number_is_a_failure(text: str, wrong: str) -> None:
    assert outcome(text, a=wrong) == FAILED


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_another_type_comes_before_a_text_that_is_no_number(name: str) -> None:
    others: list[Any] = [None, True, [], {}]
    for other in others:
        assert outcome(f"{name}(a, b)", a="no number", b=other) is None
        assert outcome(f"{name}(a, b)", a=other, b="no number") is None


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("divide(a, '0.00')", {"a": 1}),
        ("divide(a, `0.0`)", {"a": "1"}),
        ("multiply(a, a)", {"a": "1e300"}),
        ("add(a, a)", {"a": "1.7e308"}),
        ("add(a, `1`)", {"a": "1e999999999999999999"}),
        ("multiply(a, '1e-999999999999999999')", {"a": "1e999999999999999999"}),
        ("round(a, `2`)", {"a": "1e999999999999999999"}),
        ("format_number(a, `2`)", {"a": "1e999999999999999999"}),
        ("format_number(a, `-1`)", {"a": 5}),
        ("format_number(a, `0.5`)", {"a": 5}),
        ("format_number(a, `1000000000000`)", {"a": 5}),
        ("format_number(a, b)", {"a": 5, "b": 1e300}),
    ],
)
def test_results_that_are_no_number_or_too_large_are_failures_at_once(
    text: str, event: dict[str, Any]
) -> None:
    assert outcome(text, **event) in (FAILED, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("if(b != `0`, divide(a, b), `0`)", 0),
        ("if(b == `0`, `0`, divide(a, b))", 0),
        ("default(a, divide(a, b))", 5),
        ("try(divide(a, b), `-1`)", -1),
        ("b == `0` || divide(a, b) > `1`", True),
        ("if(a, a, parse_json('nope'))", 5),
        ("try(parse_json('nope').x, 'none')", "none"),
        ("default(divide(a, b), `-1`)", FAILED),
        ("if(divide(a, b), `1`, `2`)", FAILED),
    ],
)
def test_what_is_not_evaluated_cannot_fail(text: str, value: Any) -> None:
    assert outcome(text, a=5, b=0) == value


def test_products_of_products_end() -> None:
    text = "a"
    for _ in range(60):
        text = f"multiply({text}, a)"
    assert outcome(text, a=2**64) == 2 ** (64 * 61)
    assert outcome("multiply(multiply(a, a), multiply(a, a))", a=2**30000) == FAILED


@given(left=cents, right=cents)
def test_money_as_text_is_exact(left: int, right: int) -> None:
    one, other = (f"{value / 100:.2f}" for value in (left, right))
    assert outcome("multiply(add(a, b), `100`)", a=one, b=other) == left + right
    assert outcome("format_number(add(a, b), `2`)", a=one, b=other) == f"{Decimal(left + right) / 100:.2f}"


@given(number=st.floats(allow_nan=False, allow_infinity=False), digits=st.integers(0, 20))
def test_format_number_is_pythons_in_decimal(number: float, digits: int) -> None:
    found = outcome("format_number(a, b)", a=number, b=digits)
    assert abs(Decimal(found) - Decimal(repr(number))) <= Decimal("0.5").scaleb(-digits)
    assert len(found.partition(".")[2]) == digits


@given(
    left=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1),
    right=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1),
)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_a_number_as_text_is_the_same_number(name: str, left: float, right: float) -> None:
    found = outcome(f"{name}(a, b)", a=left, b=right)
    as_text = outcome(f"{name}(a, b)", a=orjson.dumps(left).decode(), b=orjson.dumps(right).decode())
    assert found == as_text or math.isclose(found, as_text, rel_tol=1e-15)
