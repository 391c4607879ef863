"""Names that are fields here and were meant otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.spots import Spot

_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), "`true`"),
    **dict.fromkeys(("false", "False", "FALSE"), "`false`"),
    **dict.fromkeys(("null", "NULL", "nil", "None", "undefined"), "`null`"),
}
"""Words of other languages, and how their values are written here."""

_TEXT_ARGUMENTS = frozenset(
    {
        ("starts_with", 1),
        ("ends_with", 1),
        ("contains", 1),
        ("join", 0),
        ("split", 1),
        ("replace", 1),
        ("replace", 2),
    }
)
"""Arguments of functions that are nearly always literal text."""

_PROJECTIONS = frozenset({"projection", "filter_projection", "value_projection"})
_PATHS = frozenset({"subexpression", "index_expression", *_PROJECTIONS})


def operands(node: Node) -> Iterator[tuple[Node, Node | None]]:
    """Every node but the names that follow a dot, with its parent."""
    yield from _operands(node, None, after_dot=False)


def _operands(node: Node, parent: Node | None, *, after_dot: bool) -> Iterator[tuple[Node, Node | None]]:
    kind = node["type"]
    if not (after_dot and kind == "field"):
        yield node, parent
    for index, child in enumerate([] if kind == "slice" else node["children"]):
        if kind in _PATHS and index == 0:
            dot = after_dot
        else:
            dot = kind == "subexpression" or (kind in _PROJECTIONS and index == 1)
        yield from _operands(child, node, after_dot=dot)


def name_findings(spot: Spot, known: frozenset[str], *, has_samples: bool) -> Iterator[Problem]:
    """`true`, `false` and `nil` as names; double quotes around what was meant as text."""
    told: set[int] = set()
    for node, parent in operands(spot.node):
        if node["type"] != "field" or node["value"] in known:
            continue
        name = node["value"]
        if node.get("quoted"):
            if parent and id(parent) not in told and _is_text(node, parent, has_samples=has_samples):
                told.add(id(parent))
                message = f'"{name}" in double quotes is the field of that name'
                yield spot.warning(message, node["start"], f"for the text write '{name}'")
        elif name in _WORDS:
            yield spot.warning(f"{name} is the field of that name", node["start"], f"write {_WORDS[name]}")


def _is_text(node: Node, parent: Node, *, has_samples: bool) -> bool:
    """Whether a name in double quotes stands where text is expected."""
    if parent["type"] == "comparator":
        return True
    position = next(index for index, child in enumerate(parent["children"]) if child is node)
    sure = has_samples or not str(node["value"]).replace("-", "").isalnum()
    if parent["type"] == "function_expression":
        return (parent["value"], position) in _TEXT_ARGUMENTS and sure
    return parent["type"] == "or_expression" and position > 0 and sure and "-" not in node["value"]


def path_text(node: Node) -> str | None:
    """A path of plain names as it is written; None for anything else."""
    match node["type"]:
        case "field":
            return f'"{node["value"]}"' if node.get("quoted") else str(node["value"])
        case "kafka":
            return "_kafka"
        case "variable":
            return f"${node['value']}"
        case "subexpression":
            parts = [path_text(child) for child in node["children"]]
            return None if None in parts else ".".join(str(part) for part in parts)
    return None
