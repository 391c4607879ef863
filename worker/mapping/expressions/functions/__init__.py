"""The functions of the expression language, one module a subject; `registry` is the table of all."""

from __future__ import annotations

from worker.mapping.expressions.functions.function import COMPUTED, Function, InvalidArgumentError
from worker.mapping.expressions.functions.registry import (
    NAMES,
    OURS,
    REGISTRY,
    TABLE,
    arity,
    caller,
    check_literals,
    counting,
    takes_expression,
)

__all__ = [
    "COMPUTED",
    "NAMES",
    "OURS",
    "REGISTRY",
    "TABLE",
    "Function",
    "InvalidArgumentError",
    "arity",
    "caller",
    "check_literals",
    "counting",
    "takes_expression",
]
