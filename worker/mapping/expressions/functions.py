"""The functions of the expression language: JMESPath's own, and ours (docs/mapping.md).

They fail in two ways. An argument of a *type* that the function does not accept, usually null, raises `Mismatch`: the
whole expression is null. An argument of the right type with an invalid *value* (a division by zero, an invalid time, a
result that JSON cannot hold) raises `ExpressionFailed`, which rejects the record. Neither message quotes the value.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions as LibraryFunctions
from jmespath.functions import signature

from worker.core import timestamps
from worker.mapping.expressions import text_length
from worker.mapping.expressions.equality import same
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_DIGITS = 15
"""The limit of `round`: a 64-bit float has 15 significant decimal digits (`sys.float_info.dig`)."""

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""RFC 8259, section 6, which is also the `json-number` of JMESPath's `to_number`."""

_PYTHON_TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}


def lower(text: object) -> str:
    """In lower case, by Unicode's rules."""
    return _text(text).lower()


def upper(text: object) -> str:
    """In upper case, by Unicode's rules."""
    return _text(text).upper()


def trim(text: object) -> str:
    """Without leading and trailing white space."""
    return _text(text).strip()


def split(text: object, separator: object) -> list[str]:
    """The parts between separators; empty parts stay. An empty separator is a failure."""
    whole, between = _text(text), _text(separator)
    if not between:
        raise ExpressionFailed("split(): the separator is empty")
    return whole.split(between)


def replace(text: object, old: object, new: object) -> str:
    """With every `old` replaced by `new`. An empty `old` is a failure."""
    whole, found, instead = _text(text), _text(old), _text(new)
    if not found:
        raise ExpressionFailed("replace(): the text to replace is empty")
    growth = len(instead) - len(found)
    text_length.check("replace", len(whole) + whole.count(found) * growth if growth > 0 else len(whole))
    return whole.replace(found, instead)


def sha256(text: object) -> str:
    """SHA-256 of the UTF-8 bytes, as 64 lower-case hexadecimal digits. Half a surrogate pair is a failure."""
    try:
        return hashlib.sha256(_text(text).encode()).hexdigest()
    except UnicodeEncodeError:
        raise ExpressionFailed("sha256(): the text is not valid Unicode") from None


def epoch_seconds(timestamp: object) -> int:
    """Whole seconds since 1970, rounded down.

    Takes what a call's `timestamp` takes: RFC 3339 text, or a whole number of milliseconds from 10^11 on,
    of seconds below. Other text, and a fraction, is a failure.
    """
    if type(timestamp) is not str:
        _number(timestamp)
    try:
        text = timestamps.rfc3339(timestamp)
    except ValueError:
        raise ExpressionFailed("epoch_seconds(): neither RFC 3339 nor a whole number in range") from None
    return math.floor(datetime.fromisoformat(text).timestamp())


def rfc3339(number: object) -> str:
    """A time as RFC 3339 text in UTC with milliseconds.

    Takes milliseconds since 1970 from 10^11 on, seconds below; finer parts are cut off. Outside the years 1
    to 9999 is a failure.
    """
    since = _number(number)
    millis = since if since >= timestamps.MILLIS_FROM else round(since * 1000, 3)
    try:
        return timestamps.from_millis(math.floor(millis))
    except (ValueError, OverflowError):
        raise ExpressionFailed("rfc3339(): outside the years 1 to 9999") from None


def add(left: object, right: object) -> float:
    """The sum; of two whole numbers exactly."""
    return _arithmetic("add", operator.add, left, right)


def subtract(left: object, right: object) -> float:
    """The difference; of two whole numbers exactly."""
    return _arithmetic("subtract", operator.sub, left, right)


def multiply(left: object, right: object) -> float:
    """The product; of two whole numbers exactly."""
    return _arithmetic("multiply", operator.mul, left, right)


def divide(left: object, right: object) -> float:
    """The quotient, a whole number if two whole numbers divide without remainder. Division by zero is a failure."""
    above, below = _number(left), _number(right)
    if below == 0:
        raise ExpressionFailed("divide(): by zero")
    if type(above) is int and type(below) is int and above % below == 0:
        return above // below
    return _arithmetic("divide", operator.truediv, above, below)


def round_(number: object, digits: object) -> float:
    """To this many decimal digits, halves away from zero, in decimal: `round(2.675, 2)` is 2.68.

    With 0 or fewer digits the result is a whole number. Digits that are not a whole number from -15 to 15
    are a failure.
    """
    value, places = _number(number), _number(digits)
    if places != int(places) or abs(places) > MOST_DIGITS:
        raise ExpressionFailed(f"round(): digits are a whole number from -{MOST_DIGITS} to {MOST_DIGITS}")
    exact = Decimal(value if type(value) is int else repr(value))
    try:
        rounded = exact.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)
    except (
        InvalidOperation
    ):  # the result would have over 28 digits, more than a float or a 64-bit integer has
        return value
    return int(rounded) if places <= 0 or type(value) is int else float(rounded)


def _text(value: object) -> str:
    if type(value) is not str:
        raise Mismatch
    return value


def _number(value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise Mismatch
    return value


def _arithmetic(name: str, operation: Callable[[float, float], float], left: object, right: object) -> float:
    try:
        return _finite(name, operation(_number(left), _number(right)))
    except OverflowError:  # a whole number beyond what a float can hold met a float
        raise ExpressionFailed(f"{name}(): the result is not a finite number") from None


def _finite(name: str, value: float) -> float:
    if type(value) is float and not math.isfinite(value):
        raise ExpressionFailed(f"{name}(): the result is not a finite number")
    return value


OURS: dict[str, tuple[Callable[..., Any], int]] = {
    "lower": (lower, 1),
    "upper": (upper, 1),
    "trim": (trim, 1),
    "split": (split, 2),
    "replace": (replace, 3),
    "sha256": (sha256, 1),
    "epoch_seconds": (epoch_seconds, 1),
    "rfc3339": (rfc3339, 1),
    "add": (add, 2),
    "subtract": (subtract, 2),
    "multiply": (multiply, 2),
    "divide": (divide, 2),
    "round": (round_, 2),
}
"""Our functions by name, with the number of arguments."""

FORMS = {"if": 3, "default": 2, "try": 2, "lookup": 2}
"""What is written as a function and is none, with the number of arguments. `if`, `default` and `try` evaluate an
argument only when it is needed, `lookup` reads the mapping file's tables: `interpreter` and `compiler.lower` know them
by name."""

NAMES = frozenset(OURS) | frozenset(FORMS) | frozenset(LibraryFunctions.FUNCTION_TABLE)
"""Every function that an expression can call."""


class Functions(LibraryFunctions):  # type: ignore[misc] # the library has no types
    """The library's functions and ours, with our two kinds of failure."""

    def call_function(self, function_name: str, resolved_args: Sequence[Any]) -> Any:
        """Call a function of either kind. The number of arguments was checked by the parser."""
        if function_name in OURS:
            return _guarded(function_name, OURS[function_name][0], resolved_args)
        call = super().call_function
        return _guarded(function_name, lambda *args: call(function_name, list(args)), resolved_args)

    @signature({"types": ["array", "string"]}, {"types": []})  # type: ignore[untyped-decorator] # theirs
    def _func_contains(self, subject: Any, search: Any) -> bool:
        if type(subject) is str and type(search) is not str:
            raise Mismatch
        if type(subject) is str or type(search) is str:
            return search in subject
        return any(same(search, item) for item in subject)

    @signature({"types": ["object"], "variadic": True})  # type: ignore[untyped-decorator] # theirs
    def _func_merge(self, *arguments: Any) -> dict[str, Any]:
        if any(type(argument) is not dict for argument in arguments):
            raise Mismatch  # the library checks only the first
        return {key: value for argument in arguments for key, value in argument.items()}

    @signature({"types": []})  # type: ignore[untyped-decorator] # theirs
    def _func_to_string(self, arg: Any) -> Any:
        if type(arg) in (int, float):
            return repr(arg)  # the same text as the library's, without its JSON encoder
        if type(arg) is str:
            return arg
        text_length.check("to_string", text_length.json_length(arg))
        text = super()._func_to_string(arg)
        text_length.check("to_string", len(text))  # characters beyond ASCII are escaped
        return text

    @signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator] # theirs
    def _func_join(self, separator: str, array: list[str]) -> str:
        text_length.check("join", sum(map(len, array)) + len(separator) * max(0, len(array) - 1))
        return separator.join(array)

    @signature({"types": []})  # type: ignore[untyped-decorator] # theirs
    def _func_to_number(self, arg: Any) -> Any:
        if type(arg) is str and not _JSON_NUMBER.fullmatch(arg):
            return None  # Python also reads `1_000`, ` 5`, `+5`, `.5` and digits of other scripts
        number = super()._func_to_number(arg)
        if type(number) is float and not math.isfinite(number):
            return None  # `1e400` is JSON, and more than a float can hold
        return number


def _guarded(name: str, call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call a function and turn every error into one of our two kinds of failure."""
    try:
        value = call(*arguments)
    except (Mismatch, ExpressionFailed):
        raise
    except JMESPathTypeError:
        raise Mismatch from None  # its text quotes the value
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        raise ExpressionFailed(f"{name}(): cannot work with this value") from None
    return _finite(name, value)


REGISTRY = Functions()


def arity(name: str) -> tuple[int, bool] | None:
    """How many arguments a function takes, and whether it takes more; None if there is no such function."""
    if name in OURS:
        return OURS[name][1], False
    if name in FORMS:
        return FORMS[name], False
    known = LibraryFunctions.FUNCTION_TABLE.get(name)
    if known is None:
        return None
    parameters = known["signature"]
    return len(parameters), bool(parameters and parameters[-1].get("variadic"))


def takes_expression(name: str, index: int) -> bool:
    """Whether this argument of a function is an expression, written with `&`."""
    if name in OURS or name in FORMS:
        return False
    parameters = LibraryFunctions.FUNCTION_TABLE[name]["signature"]
    return index < len(parameters) and "expref" in parameters[index]["types"]


@cache
def caller(name: str) -> Callable[..., Any]:
    """A function as compiled expressions call it. Raises `Mismatch` and `ExpressionFailed` when called."""
    if name in OURS:
        return OURS[name][0]
    known = Functions.FUNCTION_TABLE[name]
    parameters = known["signature"]
    if any(parameter.get("variadic") for parameter in parameters):
        return lambda *arguments: REGISTRY.call_function(name, arguments)
    accepted = [_accepted(parameter["types"]) for parameter in parameters]
    function = partial(known["function"], REGISTRY)

    def call(*arguments: Any) -> Any:
        for argument, (types, elements) in zip(arguments, accepted, strict=True):
            if types and type(argument) not in types:
                raise Mismatch
            if elements and type(argument) is list and not _alike(argument, elements):
                raise Mismatch
        return _guarded(name, function, arguments)

    return call


def _accepted(types: list[str]) -> tuple[frozenset[type], list[frozenset[type]]]:
    """The library's types of a parameter (`array-number`, ...) as Python types, and its elements'.

    The library compares names of types on every call, which costs more than most functions do.
    """
    whole = [_PYTHON_TYPES[name.partition("-")[0]] for name in types]
    elements = [_PYTHON_TYPES[name.partition("-")[2]] for name in types if "-" in name]
    return frozenset().union(*whole), elements


def _alike(values: list[Any], kinds: list[frozenset[type]]) -> bool:
    """Whether all values are of one of these kinds."""
    found = set(map(type, values))
    return any(found <= kind for kind in kinds)
