"""Reads `let` of a file or a rule: names for expressions, which other expressions use as `$name`."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from worker.documents.document import Path
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.names import OF_FOR_EACH, names_used
from worker.mapping.expressions.parser import UNQUOTED_NAME, ExpressionError, parse
from worker.mapping.files.value_reader import ValueReader


def read_lets(given: Any, path: Path, values: ValueReader) -> dict[str, Expression | None]:
    """The expression of each name; None for one that is wrong, which is reported.

    Args:
        given: the value of `let`.
        path: its path.
        values: reads expressions that can use the names from outside.
    """
    if not isinstance(given, dict):
        values.report("`let` must name expressions", path, hint="{order: data.order}")
        return {}
    uses = {name: _uses(value) & given.keys() for name, value in given.items()}
    lets: dict[str, Expression | None] = dict.fromkeys(given)
    for name in _in_order(uses, path, values):
        if _is_valid(name, path, values):
            lets[name] = _let(values.with_lets(lets), (*path, name))
    return lets


def _let(values: ValueReader, path: Path) -> Expression | None:
    value = values.at(path)
    if isinstance(value, int | float):
        return Expression(str(value), {"type": "literal", "value": value, "children": []})
    if isinstance(value, str):
        return values.expression(path)
    hint = 'an object is written as one text: "{id: order.id}"' if isinstance(value, dict) else None
    values.report(f"`{path[-1]}` must be an expression", path, key=value is None, hint=hint)
    return None


def _is_valid(name: str, path: Path, values: ValueReader) -> bool:
    if name in OF_FOR_EACH:
        values.report(
            f"${name} is reserved for `for_each`", (*path, name), key=True, hint="choose another name"
        )
        return False
    if not UNQUOTED_NAME.fullmatch(name):
        hint = "letters, digits and _, not beginning with a digit"
        values.report(f"'{name}' is not a name", (*path, name), key=True, hint=hint)
        return False
    return True


def _in_order(uses: dict[str, set[str]], path: Path, values: ValueReader) -> list[str]:
    """The names, each after those that it uses. Names that use each other are reported and left out."""
    uses = dict(uses)
    while True:
        try:
            return [*TopologicalSorter(uses).static_order()]
        except CycleError as error:
            *cycle, _ = error.args[1][::-1]
            name = min(cycle, key=[*uses].index)
            start = cycle.index(name)
            chain = " -> ".join(f"${each}" for each in [*cycle[start:], *cycle[:start], name])
            values.report(f"names in `let` need each other: {chain}", (*path, name))
            uses = {each: of - set(cycle) for each, of in uses.items() if each not in cycle}


def _uses(value: Any) -> set[str]:
    """The names in an expression."""
    if not isinstance(value, str):
        return set()
    try:
        tree = parse(value)
    except ExpressionError:
        return set()  # reported where it is read
    return names_used(tree)
