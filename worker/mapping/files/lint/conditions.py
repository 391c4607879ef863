"""Conditions that are the same for every event: of `when`, and of filters."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.better_conditions import better_condition
from worker.mapping.files.lint.spots import Spot, first_character, walk
from worker.mapping.files.lint.terms import ABORT, domain, is_term, term_key, term_uses
from worker.mapping.files.topics import is_pattern

MOST_COMBINATIONS = 20_000
"""Of values that are tried for one condition: a few hundredths of a second. Larger ones are not checked."""

_ORDERINGS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}


class _Aborted(Exception):  # noqa: N818 - an outcome, not an error
    """The whole expression is null."""


def condition_findings(spot: Spot, topics: Sequence[str]) -> Iterator[Problem]:
    """The condition, or the largest parts of it, that are the same for every event."""
    names = None if not topics or any(map(is_pattern, topics)) else topics
    if spot.is_condition:
        yield from _whole(spot, spot.node, names, "event", tombstones=True)
    for node in walk(spot.node):
        if node["type"] == "filter_projection":
            yield from _whole(spot, node["children"][2], None, "item", tombstones=False)


def _whole(
    spot: Spot, node: Node, topics: Sequence[str] | None, what: str, *, tombstones: bool
) -> Iterator[Problem]:
    outcomes = _outcomes(node, topics, tombstone=False)
    at_deletion = _outcomes(node, topics, tombstone=True) if tombstones else set()
    name = "`when`" if tombstones else "this condition"
    hint = better_condition(node, topics)
    if outcomes == {False} and True not in at_deletion:
        yield spot.warning(f"{name} is false for every {what}", first_character(node), hint)
    elif outcomes == {True} and not (node["type"] == "literal" and not tombstones):
        without = "leave `when` out to match every event that is no tombstone" if tombstones else None
        yield spot.warning(f"{name} is true for every {what}", first_character(node), hint or without)
    elif outcomes:
        for part in _parts(node):
            every = _outcomes(part, topics, tombstone=False)
            if tombstones:
                every |= _outcomes(part, topics, tombstone=True)
            if len(every) == 1:
                verdict = "true" if True in every else "false"
                message = f"this part is {verdict} for every {what}"
                yield spot.warning(message, first_character(part), better_condition(part, topics))


def _parts(node: Node) -> Iterator[Node]:
    """The comparisons, `&&` and `||` that a condition is made of, the largest first."""
    if node["type"] in ("or_expression", "and_expression", "not_expression"):
        for child in node["children"]:
            if child["type"] in ("or_expression", "and_expression", "comparator"):
                yield child
            else:
                yield from _parts(child)


def _outcomes(node: Node, topics: Sequence[str] | None, *, tombstone: bool) -> set[bool]:
    """Whether the condition can be true, and whether it can be false; empty if there is too much to try."""
    uses = term_uses(node)
    domains = {key: _domain(key, use, topics, tombstone=tombstone) for key, use in uses.items()}
    if prod(map(len, domains.values())) > MOST_COMBINATIONS:
        return set()
    found: set[bool] = set()
    for values in product(*domains.values()):
        found.add(_holds(node, dict(zip(domains, values, strict=True))))
        if len(found) == 2:
            break
    return found


def _domain(
    key: str, use: tuple[Node, set[str], list[Any]], topics: Sequence[str] | None, *, tombstone: bool
) -> list[Any]:
    node, ways, literals = use
    if key == "_kafka.tombstone":
        return [tombstone]
    if node["type"] == "current":
        return [{}] if tombstone else [{}, {"": None}]
    if tombstone and node["type"] in ("field", "subexpression") and not key.startswith("_kafka"):
        return [None]
    return domain(node, ways, literals, topics)


def _holds(node: Node, values: dict[str, Any]) -> bool:
    try:
        return _is_true(_value(node, values))
    except _Aborted:
        return False


def _value(node: Node, values: dict[str, Any]) -> Any:
    if is_term(node):
        value = values[term_key(node)]
        if value is ABORT:
            raise _Aborted
        return value
    match node["type"]:
        case "literal":
            return node["value"]
        case "or_expression" | "and_expression":
            wanted = node["type"] == "or_expression"
            value = None
            for child in node["children"]:
                value = _value(child, values)
                if _is_true(value) is wanted:
                    break
            return value
        case "not_expression":
            return not _is_true(_value(node["children"][0], values))
    left, right = (_value(child, values) for child in node["children"])
    return _compared(node["value"], left, right)


def _compared(how: str, left: Any, right: Any) -> bool | None:
    if how in _ORDERINGS:
        numbers = type(left) in (int, float) and type(right) in (int, float)
        if numbers or (type(left) is str and type(right) is str):
            return bool(_ORDERINGS[how](left, right))
        return None
    same = left == right and isinstance(left, bool) == isinstance(right, bool)
    return same if how == "eq" else not same


def _is_true(value: Any) -> bool:
    return bool(value) or (value == 0 and value is not False)
