"""Names in generated functions: what is one, and what a value is called."""

from __future__ import annotations

import keyword

from worker.mapping.expressions import ir


def is_name(text: str) -> bool:
    """Whether a Python expression is just a name."""
    return text.isidentifier() and not keyword.iskeyword(text)


def hint_of(node: ir.Node) -> str:
    """A readable name for a node's value."""
    match node:
        case ir.Field() | ir.Call() | ir.Let() | ir.Variable():
            return node.name
        case ir.Path():
            return hint_of(node.steps[-1])
    return "value"
