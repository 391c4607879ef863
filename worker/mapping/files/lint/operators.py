"""Operators that bind otherwise than they look, or whose result is the same for every event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import concatenation, text_of
from worker.mapping.files.lint.names import path_text
from worker.mapping.files.lint.spots import Spot, first_character, walk


def negation_findings(spot: Spot) -> Iterator[Problem]:
    """`!a.b`, which negates `a` and selects `.b` from the result."""
    for node in walk(spot.node):
        first = node["children"][0] if node["type"] != "slice" and node["children"] else None
        if first is None or node["type"] not in ("subexpression", "filter_projection", "value_projection"):
            continue
        if first["type"] == "not_expression":
            negated = {**node, "children": [first["children"][0], *node["children"][1:]]}
            path = path_text(negated)
            message = f"this negates only what stands before the {'dot' if path else 'bracket'}"
            yield spot.warning(message, first["start"], f"write !({path or '...'})")


_BOOLEAN = frozenset({"comparator", "not_expression", "and_expression", "or_expression"})


def pipe_findings(spot: Spot) -> Iterator[Problem]:
    """`|` between conditions: it asks the result of the left one for what stands on the right."""
    for node in walk(spot.node):
        children = node["children"] if node["type"] == "pipe" else []
        for index, (left, right) in enumerate(pairwise(children)):
            if left["type"] == "comparator" and right["type"] in _BOOLEAN:
                yield spot.warning(
                    "`|` hands the result on; it is no `or`", node["operators"][index], "write ||"
                )


def precedence_findings(spot: Spot) -> Iterator[Problem]:
    """`a && b == 'x' || b == 'y'`: `&&` binds tighter, so `a` says nothing about the second comparison."""
    for node in walk(spot.node):
        children = node["children"] if node["type"] == "or_expression" else []
        for index, (left, right) in enumerate(pairwise(children)):
            hint = _both_ways(left, children[index + 1 :]) or _both_ways(right, children[index::-1])
            if hint is not None:
                message = "&& binds tighter than ||, so it does not hold for both sides"
                meant = f"write {hint}; if it is meant as it stands, put the && in parentheses"
                yield spot.warning(message, node["operators"][index], meant)
                break


def _both_ways(chain: Node, others: Sequence[Node]) -> str | None:
    """With parentheses, if the comparison at the near end of `chain` and those beside it ask for one field.

    Args:
        chain: what may be `a && b == 'x'` without parentheses.
        others: the operands beside it, the nearest first.
    """
    if chain["type"] != "and_expression" or chain.get("grouped"):
        return None
    # With the operands in the order of the text, the near end is the last of `a && b` before ||, the first after it.
    before = first_character(chain) < first_character(others[0])
    near = chain["children"][-1 if before else 0]
    path = _asked_for(near)
    same = list(takewhile(lambda other: path is not None and _asked_for(other) == path, others))
    rest = chain["children"][:-1] if before else chain["children"][1:]
    if not same or any(_asked_for(other) == path for other in rest):
        return None
    either = " || ".join(map(text_of, [near, *same] if before else [*reversed(same), near]))
    joined = [f"({text_of(each)})" if each["type"] == "or_expression" else text_of(each) for each in rest]
    return " && ".join([*joined, f"({either})"] if before else [f"({either})", *joined])


def _asked_for(node: Node) -> str | None:
    """The path that is compared with a literal by `==`; None for anything else."""
    if not _is_equal(node):
        return None
    left, right = node["children"]
    if (left["type"] == "literal") is (right["type"] == "literal"):
        return None
    return path_text(right if left["type"] == "literal" else left)


def either_findings(spot: Spot) -> Iterator[Problem]:
    """`type == ('a' || 'b')`: the first of two texts is always taken."""
    for node in walk(spot.node):
        either = (
            [child for child in node["children"] if child["type"] == "or_expression"]
            if _is_equal(node)
            else []
        )
        if either and all(child["type"] == "literal" for child in either[0]["children"]):
            (other,) = (child for child in node["children"] if child is not either[0])
            values = ", ".join(map(text_of, either[0]["children"]))
            hint = f"write contains([{values}], {text_of(other)})"
            yield spot.warning(
                "what follows the first literal is never used", either[0]["operators"][0], hint
            )


def _is_equal(node: Node) -> bool:
    return bool(node["type"] == "comparator" and node["value"] == "eq")


def list_findings(spot: Spot) -> Iterator[Problem]:
    """`not_null([a, b])`: a list is never null, whatever is in it."""
    for node in walk(spot.node):
        children = node["children"] if node["type"] == "function_expression" else []
        if node.get("value") != "not_null" or children[0]["type"] != "multi_select_list":
            continue
        items = ", ".join(map(text_of, [*children[0]["children"], *children[1:]]))
        yield spot.warning(
            "a list is never null, even if its items are", children[0]["start"], f"write not_null({items})"
        )


def default_findings(spot: Spot) -> Iterator[Problem]:
    """`||` before a literal true, which replaces false too; what follows a literal is never used."""
    for node in walk(spot.node):
        if node["type"] != "or_expression":
            continue
        operators = node["operators"]
        for index, child in enumerate(node["children"][1:]):
            if child["type"] != "literal":
                continue
            if child["value"] is True:
                yield spot.warning(
                    "`||` replaces false too, so this is true for every event",
                    operators[index],
                    _default_true(node["children"][index]),
                )
                break
            if _is_true(child["value"]) and index + 2 < len(node["children"]):
                yield spot.warning(
                    "what follows this literal is never used",
                    operators[index + 1],
                    f"texts are joined by {concatenation(list(map(text_of, node['children'])))}",
                )
                break


def _default_true(left: Node) -> str:
    return f"write default({text_of(left)}, `true`)"


def _is_true(value: Any) -> bool:
    return bool(value) or (value == 0 and value is not False)
