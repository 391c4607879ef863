"""JMESPath's own functions: the library's, with the worker's two kinds of failure, and their rows of the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions as LibraryFunctions
from jmespath.functions import signature

from worker.mapping.expressions import text_length
from worker.mapping.expressions.equality import same
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.functions.numbers import JSON_NUMBER

_PYTHON_TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}


class Library(LibraryFunctions):  # type: ignore[misc] # the library has no types
    """The library's functions, with our two kinds of failure."""

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
        if type(arg) is str and not JSON_NUMBER.fullmatch(arg):
            return None  # Python also reads `1_000`, ` 5`, `+5`, `.5` and digits of other scripts
        number = super()._func_to_number(arg)
        if type(number) is float and not math.isfinite(number):
            return None  # `1e400` is JSON, and more than a float can hold
        return number


def guarded(name: str, call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call a function and turn every error into one of our two kinds of failure."""
    try:
        value = call(*arguments)
    except (Mismatch, ExpressionFailed):
        raise
    except JMESPathTypeError:
        raise Mismatch from None  # its text quotes the value
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        raise ExpressionFailed(f"{name}(): cannot work with this value") from None
    if type(value) is float and not math.isfinite(value):
        raise ExpressionFailed(f"{name}(): the result is not a finite number")
    return value


def compiled_caller(library: Library, name: str) -> Callable[..., Any]:
    """A function of the library as compiled expressions call it."""
    known = Library.FUNCTION_TABLE[name]
    parameters = known["signature"]
    if any(parameter.get("variadic") for parameter in parameters):
        return lambda *arguments: library.call_function(name, arguments)
    accepted = [_accepted(parameter["types"]) for parameter in parameters]
    function = partial(known["function"], library)

    def call(*arguments: Any) -> Any:
        for argument, (types, elements) in zip(arguments, accepted, strict=True):
            if types and type(argument) not in types:
                raise Mismatch
            if elements and type(argument) is list and not _alike(argument, elements):
                raise Mismatch
        return guarded(name, function, arguments)

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
