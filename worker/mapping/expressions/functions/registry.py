"""The functions of the expression language: JMESPath's own, and ours (docs/mapping.md).

They fail in two ways. An argument of a *type* that the function does not accept, usually null, raises `Mismatch`: the
whole expression is null. An argument of the right type with an invalid *value* (a division by zero, an invalid time, a
result that JSON cannot hold) raises `ExpressionFailed`, which rejects the record. Neither message quotes the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from worker.mapping.expressions.functions import (
    encodings,
    forms,
    hashes,
    jmespath_rows,
    numbers,
    objects,
    patterns,
    texts,
    times,
)
from worker.mapping.expressions.functions.function import Function
from worker.mapping.expressions.functions.library import Library, compiled_caller, guarded

_ROWS = (
    *texts.FUNCTIONS,
    *patterns.FUNCTIONS,
    *numbers.FUNCTIONS,
    *times.FUNCTIONS,
    *encodings.FUNCTIONS,
    *hashes.FUNCTIONS,
    *objects.FUNCTIONS,
    *forms.FUNCTIONS,
    *jmespath_rows.FUNCTIONS,
)

TABLE: dict[str, Function] = {row.name: row for row in _ROWS}
"""Every function that an expression can call, by name."""

NAMES = frozenset(TABLE)

OURS: dict[str, Callable[..., Any]] = {
    **{name: row.call for name, row in TABLE.items() if row.call is not None},
    **texts.COUNTING,
}
"""The functions that are not the library's, by name."""


class Functions(Library):
    """The library's functions and ours, with our two kinds of failure."""

    def call_function(self, function_name: str, resolved_args: Sequence[Any]) -> Any:
        """Call a function of either kind. The number of arguments was checked by the parser."""
        if function_name in OURS:
            return guarded(function_name, OURS[function_name], resolved_args)
        call = super().call_function
        return guarded(function_name, lambda *args: call(function_name, list(args)), resolved_args)


REGISTRY = Functions()


def counting(name: str) -> str:
    """The name of the function that counts its text where `name` does not; `name` itself where there is none."""
    other = f"{name} of $name"
    return other if other in OURS else name


def arity(name: str) -> tuple[int, int | None] | None:
    """How many arguments a function needs and takes at most (None: any number); None if there is no such function."""
    row = TABLE.get(name)
    return None if row is None else (row.least, row.most)


def takes_expression(name: str, index: int) -> bool:
    """Whether this argument of a function is an expression, written with `&`."""
    if name not in Library.FUNCTION_TABLE:
        return False
    parameters = Library.FUNCTION_TABLE[name]["signature"]
    return index < len(parameters) and "expref" in parameters[index]["types"]


def check_literals(name: str, arguments: Sequence[Any]) -> None:
    """Check the literal arguments of a call; `COMPUTED` stands for the others.

    Raises:
        InvalidArgumentError: no call with this argument can succeed.
    """
    check = TABLE[name].check
    if check is not None:
        check(arguments)


@cache
def caller(name: str) -> Callable[..., Any]:
    """A function as compiled expressions call it. Raises `Mismatch` and `ExpressionFailed` when called."""
    return OURS[name] if name in OURS else compiled_caller(REGISTRY, name)
