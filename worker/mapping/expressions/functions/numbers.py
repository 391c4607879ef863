"""Functions of numbers. They compute in decimal, so that money stays exact; text that is a JSON number is one too."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, DecimalException

from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.functions.arguments import number_of, whole_of
from worker.mapping.expressions.functions.function import Function

MOST_DIGITS = 15
"""The limit of `round`: a 64-bit float has 15 significant decimal digits (`sys.float_info.dig`)."""

MOST_CHARACTERS = 1000
"""The longest text that is read as a number. A 64-bit float has at most 309 digits before its point."""

MOST_BITS = 1 << 16
"""The largest whole number that `multiply` makes. JSON's fit into 64; without a limit, products of products would grow
until Python needs minutes for one."""

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""RFC 8259, section 6, which is also the `json-number` of JMESPath's `to_number`."""

_SIGNIFICANT = 60
"""Digits of intermediate results: more than a 64-bit integer (20) times a float (17) has."""

_DECIMAL = Context(prec=_SIGNIFICANT, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_LARGEST_WHOLE, _SMALLEST_WHOLE = 2**64 - 1, -(2**63)
"""Of JSON encoders, also the worker's: beyond these a whole result becomes a float."""


def add(left: object, right: object) -> float:
    """The sum."""
    if type(left) is int and type(right) is int:
        return left + right
    return _in_decimal("add", _DECIMAL.add, left, right)


def subtract(left: object, right: object) -> float:
    """The difference."""
    if type(left) is int and type(right) is int:
        return left - right
    return _in_decimal("subtract", _DECIMAL.subtract, left, right)


def multiply(left: object, right: object) -> float:
    """The product."""
    if type(left) is int and type(right) is int:
        if left.bit_length() + right.bit_length() > MOST_BITS:
            raise ExpressionFailed("multiply(): the result has too many digits")
        return left * right
    return _in_decimal("multiply", _DECIMAL.multiply, left, right)


def divide(above: object, below: object) -> float:
    """The quotient."""
    if type(above) is not int or type(below) is not int:
        return _in_decimal("divide", _DECIMAL.divide, above, below)
    if below == 0:
        raise ExpressionFailed("divide(): by zero")
    if above % below == 0:
        return above // below
    try:
        return above / below
    except OverflowError:
        raise ExpressionFailed("divide(): the result is not a finite number") from None


def round_(number: object, digits: object) -> float:
    """To this many decimal digits, halves away from zero, in decimal: `round(2.675, 2)` is 2.68.

    With 0 or fewer digits the result is a whole number.
    """
    _accepted(number)
    places = whole_of("round", digits)
    if abs(places) > MOST_DIGITS:
        raise ExpressionFailed(f"round(): digits are a whole number from -{MOST_DIGITS} to {MOST_DIGITS}")
    exact = _decimal("round", number)
    # Far beyond the digits that a float or an integer of 64 bits has, there is nothing to round.
    if exact.adjusted() >= _SIGNIFICANT - 2 * MOST_DIGITS:
        return _json_number("round", exact) if type(number) is str else number_of(number)
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, context=_DECIMAL)
    if type(number) is float and places > 0:
        return float(rounded)
    return _json_number("round", rounded)


def format_number(number: object, digits: object) -> str:
    """As text with exactly this many digits after the point, halves away from zero; no grouping."""
    _accepted(number)
    places = whole_of("format_number", digits)
    if places < 0:
        raise ExpressionFailed("format_number(): digits are 0 or more")
    exact = _decimal("format_number", number)
    before = max(exact.adjusted(), 0) + 1
    text_length.check("format_number", before + places + 2)  # a point, and a sign
    wide = Context(prec=before + places + 1, rounding=ROUND_HALF_UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
    rounded = exact.quantize(Decimal(1).scaleb(-places, wide), context=wide)
    return format(rounded or abs(rounded), "f")  # no negative zero


def _in_decimal(
    name: str, operation: Callable[[Decimal, Decimal], Decimal], left: object, right: object
) -> float:
    _accepted(left)
    _accepted(right)
    first, second = _decimal(name, left), _decimal(name, right)
    if not second and name == "divide":
        raise ExpressionFailed("divide(): by zero")
    try:
        return _json_number(name, operation(first, second))
    except DecimalException:
        raise ExpressionFailed(f"{name}(): the result is not a finite number") from None


def _accepted(value: object) -> None:
    if type(value) is not str:
        number_of(value)


def _decimal(name: str, value: object) -> Decimal:
    """A number, or the number that a text is."""
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        return Decimal(repr(value))
    assert type(value) is str
    if len(value) > MOST_CHARACTERS or JSON_NUMBER.fullmatch(value) is None:
        raise ExpressionFailed(f"{name}(): the text is not a number")
    try:
        number = Decimal(value)
    except DecimalException:  # an exponent of 19 digits
        raise ExpressionFailed(f"{name}(): the text is not a number") from None
    if not number.is_finite():
        raise ExpressionFailed(f"{name}(): the text is not a number")
    return number


def _json_number(name: str, value: Decimal) -> float:
    """As JSON has it: a whole number where the value is one and fits, else the nearest float."""
    if value.adjusted() <= 19 and value == value.to_integral_value():  # 2^64 has 20 digits
        whole = int(value)
        if _SMALLEST_WHOLE <= whole <= _LARGEST_WHOLE:
            return whole
    number = float(value)
    if not math.isfinite(number):
        raise ExpressionFailed(f"{name}(): the result is not a finite number")
    return number


_ARITHMETIC = (
    "Null, and any other type: null. Text counts as a number if it is one in JSON, such as `'12.50'`."
)
_NOT_A_NUMBER = "Text that is not a number, such as `'12,50'`; a result beyond the largest float."

FUNCTIONS = (
    Function(
        "add(a, b)",
        "The sum, computed in decimal; a whole number where it is one.",
        "add('12.50', `0.1`)",
        "12.6",
        add,
        wrong_type=_ARITHMETIC,
        fails=_NOT_A_NUMBER,
    ),
    Function(
        "subtract(a, b)",
        "The difference, computed in decimal.",
        "subtract(`1`, `0.9`)",
        "0.1",
        subtract,
        wrong_type=_ARITHMETIC,
        fails=_NOT_A_NUMBER,
    ),
    Function(
        "multiply(a, b)",
        "The product, computed in decimal.",
        "multiply('19.99', `100`)",
        "1999",
        multiply,
        wrong_type=_ARITHMETIC,
        fails=_NOT_A_NUMBER,
    ),
    Function(
        "divide(a, b)",
        "The quotient; a whole number where there is no remainder.",
        "divide(`1999`, `100`)",
        "19.99",
        divide,
        wrong_type=_ARITHMETIC,
        fails="A division by zero; text that is not a number.",
    ),
    Function(
        "round(n, digits)",
        "The number with this many decimals, halves away from zero; negative `digits` round to tens, hundreds, ...",
        "round('2.675', `2`)",
        "2.68",
        round_,
        wrong_type=_ARITHMETIC,
        fails="Text that is not a number; digits that are not a whole number from -15 to 15.",
    ),
    Function(
        "format_number(n, digits)",
        "The number as text with exactly this many digits after the point; halves away from zero, no grouping.",
        "format_number(`9.5`, `2`)",
        '"9.50"',
        format_number,
        wrong_type=_ARITHMETIC,
        fails="Text that is not a number; negative or fractional digits; a text over `limits.text_length`.",
    ),
)
