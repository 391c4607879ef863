"""Functions that the interpreter and the compiler evaluate themselves.

`if`, `default` and `try` evaluate an argument only when it is needed, and `lookup` reads the mapping file's tables.
"""

from __future__ import annotations

from worker.mapping.expressions.functions.function import Function

_IN_FIRST = "Null or a wrong type inside the first argument counts as null, and does not end the expression."

FUNCTIONS = (
    Function(
        "if(condition, then, otherwise)",
        "`then` where the condition is true, else `otherwise`; only that one is evaluated.",
        "if(`2` > `1`, 'more', 'less')",
        '"more"',
        wrong_type=_IN_FIRST,
    ),
    Function(
        "default(value, otherwise)",
        "The value, or `otherwise` where it is null; `||` replaces false and empty values too.",
        "default(`false`, `true`)",
        "false",
        wrong_type=_IN_FIRST,
    ),
    Function(
        "try(expression, otherwise)",
        "The expression's value, or `otherwise` where it is null or fails.",
        "try(divide(`1`, `0`), `0`)",
        "0",
        wrong_type="The same as any other failure: `otherwise`.",
    ),
    Function(
        "lookup(table, key)",
        "The key's value in one of the file's `tables`; null where it has none. The key is text or a whole number.",
        "lookup('countries', 'DE')",
        '"Germany"',
        fails="A table that does not exist, where its name is computed.",
    ),
)
