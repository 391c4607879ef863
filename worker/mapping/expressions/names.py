"""Binds the names in an expression, `$order` and the tables of `lookup`, to what they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.mapping.expressions.failures import ExpressionError
from worker.mapping.expressions.parser import MOST_LEVELS, Node, levels
from worker.mapping.expressions.tables import Table

OF_FOR_EACH = ("item", "index")
"""The names that `for_each` gives a value."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression can use.

    Attributes:
        lets: the expression that each name of a `let` stands for; None for one that is reported as wrong.
        tables: the mapping file's tables; None for one that is reported as wrong.
        root: see `parser.parse`.
        in_for_each: whether `$item` and `$index` have a value.
    """

    lets: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table | None] = field(default_factory=dict)
    in_for_each: bool = False
    root: str | None = None


def bind(node: Node, names: Names) -> None:
    """Put the expression of each `$name` (`let`) and the tables of each `lookup` (`tables`) into a tree's nodes.

    Raises:
        ExpressionError: a name stands for nothing here.
    """
    for each in nodes(node):
        if each["type"] == "variable":
            each["let"] = _let(each, names)
        elif each["type"] == "function_expression" and each["value"] == "lookup":
            each["tables"] = names.tables
            _check_table(each, names)
    if levels(node) > MOST_LEVELS:
        raise ExpressionError(f"nested deeper than {MOST_LEVELS} levels, with the expressions of `let`", 0)


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    if node["type"] != "slice":
        for child in node["children"]:
            yield from nodes(child)


def names_used(node: Node) -> set[str]:
    """The `$names` in a tree."""
    return {each["value"] for each in nodes(node) if each["type"] == "variable"}


def reads_envelope(node: Node) -> bool:
    """Whether a bound tree, or an expression that a name in it stands for, reads `_change` or `_ce`."""
    trees = [node, *(each.node for let in lets_used(node) for each in (let, *let.lets))]
    return any(each["type"] == "envelope" for tree in trees for each in nodes(tree))


def lets_used(node: Node) -> list[Any]:
    """The expressions that the names in a bound tree stand for, each once."""
    found = {each["value"]: each.get("let") for each in nodes(node) if each["type"] == "variable"}
    return [let for let in found.values() if let is not None]


def _let(node: Node, names: Names) -> Any:
    name: str = node["value"]
    if name in OF_FOR_EACH:
        if not names.in_for_each:
            message = f"${name} has a value only in the fields of a call with `for_each`"
            raise ExpressionError(message, node["start"], "for_each: recipients")
        return None
    if name not in names.lets:
        near = did_you_mean(name, names.lets)
        hint = near.replace("'", "'$", 1) if near else f"an event's field is written without $: {name}"
        raise ExpressionError(f"there is no ${name} here: `let` defines names", node["start"], hint)
    return names.lets[name]


def _check_table(node: Node, names: Names) -> None:
    table = node["children"][0]
    if table["type"] != "literal" or table["value"] in names.tables:
        return
    name = table["value"]
    hint = did_you_mean(str(name), names.tables) or f"tables: {{{name}: tables/{name}.csv}}"
    raise ExpressionError(f"there is no table '{name}'", node["start"], hint)
