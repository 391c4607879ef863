"""Parses expressions with our `grammar`, which is the library's parser and `$name`.

The tree is the library's (`jmespath.ast`), with five changes:

- `_kafka`, where it is read from the event itself, is a node of its own, `kafka`;
- so is the envelope's root, `_change` or `_ce`, in a mapping file with such an envelope: `envelope`;
- `$name` is a node `variable`;
- `a || b || c` is one node with three children, as is `a && b && c`;
- a chain of pipes is one node.
"""

from __future__ import annotations

import re
import warnings

from jmespath import exceptions

from worker.mapping.expressions import functions
from worker.mapping.expressions.failures import ExpressionError
from worker.mapping.expressions.grammar import Grammar, Node, PositionedGrammar

__all__ = ["ExpressionError", "Node"]

MOST_LEVELS = 100
"""How deep an expression may nest. Far below Python's recursion limit of 1,000, since some functions take several
frames a level."""

UNQUOTED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A field's name that needs no quotes (the grammar's unquoted-string)."""

_CHAINS = frozenset({"or_expression", "and_expression", "pipe"})
_FIRST_CHILD_ONLY = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection"}
)


def parse(text: str, *, positions: bool = False, root: str | None = None) -> Node:
    """Parse an expression that is evaluated on an event.

    Args:
        text: the expression.
        root: the name by which an expression reads the envelope of its event, such as `_change`; None for no envelope.
        positions: whether each node has the key `start`: an index into the text, of the operator where the node has
            one, of the node's first character otherwise. A chain of `||` or `&&` also has `operators`, the index of
            each operator; a field that is written in double quotes has `quoted`; what stands in parentheses has
            `grouped`.

    Raises:
        ExpressionError: with the position of the fault.
    """
    try:
        with warnings.catch_warnings():
            # JMESPath still allows `bare` text as a literal, and warns of it.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            tree = (PositionedGrammar() if positions else Grammar()).parse(text)
        tree = _normal(tree, on_event=True, level=0)
        return tree if root is None else _with_envelope(tree, root)
    except exceptions.JMESPathError as fault:
        raise _translated(fault, text) from None
    except RecursionError:
        raise ExpressionError(f"nested deeper than {MOST_LEVELS} levels", 0) from None
    except ValueError:  # an integer of more digits than Python reads
        raise ExpressionError("a number is too large", 0) from None


def same_place(node: Node) -> list[Node]:
    """The children that are evaluated on the same value as the node itself."""
    children: list[Node] = node["children"]
    if node["type"] in _FIRST_CHILD_ONLY:
        return children[:1]
    return [] if node["type"] in ("slice", "expref") else children


def fields_read(node: Node) -> set[str]:
    """The fields that the node reads from the very value it is evaluated on."""
    if node["type"] == "field":
        return {node["value"]}
    return set().union(*map(fields_read, same_place(node)))


def reads_whole(node: Node) -> bool:
    """Whether the node uses the value it is evaluated on other than by reading its fields."""
    if node["type"] in ("current", "identity"):
        return True
    return any(map(reads_whole, same_place(node)))


def _with_envelope(node: Node, root: str) -> Node:
    """The tree with nodes `envelope` in place of the field `root`, where that is read from the event itself."""
    if node["type"] == "field":
        return {**node, "type": "envelope"} if node["value"] == root else node
    here = len(same_place(node))
    children: list[Node] = node["children"]
    return {**node, "children": [*(_with_envelope(each, root) for each in children[:here]), *children[here:]]}


def contains(node: Node, kind: str) -> bool:
    """Whether a node of this kind is somewhere in the tree."""
    if node["type"] == kind:
        return True
    return node["type"] != "slice" and any(contains(child, kind) for child in node["children"])


def reads_kafka(node: Node, name: str) -> bool:
    """Whether the node reads this field of `_kafka`, or `_kafka` as a whole."""
    if node["type"] == "kafka":
        return True
    children: list[Node] = [] if node["type"] == "slice" else node["children"]
    if node["type"] == "subexpression" and children[0]["type"] == "kafka" and children[1]["type"] == "field":
        return bool(children[1]["value"] == name)
    return any(reads_kafka(child, name) for child in children)


def levels(node: Node) -> int:
    """How deep the tree is, with the trees that `$names` stand for."""
    if node["type"] == "slice":
        return 1
    if node["type"] == "variable":
        let = node.get("let")
        return 1 + (let.levels if let is not None else 0)
    return 1 + max(map(levels, node["children"]), default=0)


def _normal(node: Node, *, on_event: bool, level: int, argument: bool = False) -> Node:
    """The tree as the module's docstring has it."""
    kind = node["type"]
    if level > MOST_LEVELS:
        raise ExpressionError(f"nested deeper than {MOST_LEVELS} levels", 0)
    if kind == "field" and node["value"] == "_kafka" and on_event:
        return {**node, "type": "kafka"}
    if kind == "slice":
        return node
    if kind == "expref" and not argument:
        raise ExpressionError("& belongs before an argument of a function", node["position"])
    if kind == "function_expression" and not on_event and contains(node, "variable"):
        node = {**node, "value": functions.counting(node["value"])}
    children, operators = _chain(node) if kind in _CHAINS else (node["children"], {})
    here = len(same_place({**node, "children": children}))
    return {
        **node,
        **operators,
        "children": [
            _normal(
                child,
                on_event=on_event and index < here,
                level=level + 1,
                argument=kind == "function_expression",
            )
            for index, child in enumerate(children)
        ],
    }


def _chain(node: Node) -> tuple[list[Node], dict[str, list[int]]]:
    """The operands of `a || b || c`, which the parser nests to the left; the operators' positions, if known."""
    operands: list[Node] = []
    starts: list[int] = []
    left = node
    while left["type"] == node["type"]:
        starts += [left["start"]] if "start" in left else []
        left, right = left["children"]
        operands.append(right)
    return [left, *reversed(operands)], {"operators": starts[::-1]} if starts else {}


def _translated(fault: exceptions.JMESPathError, text: str) -> ExpressionError:
    """The library's error as one sentence, without its multi-line drawing of the position."""
    if isinstance(fault, exceptions.EmptyExpressionError):
        return ExpressionError("the expression is empty", 0)
    if isinstance(fault, exceptions.IncompleteExpressionError):
        return ExpressionError("the expression ends too early", len(text))
    if isinstance(fault, exceptions.LexerError):
        return ExpressionError(_lexical(fault.message, text, fault.lexer_position), fault.lexer_position)
    if isinstance(fault, exceptions.ParseError):
        position: int = fault.lex_position
        if position >= len(text):
            return ExpressionError("the expression ends too early", len(text))
        return ExpressionError(f"{text[position : position + 1]!r} is not expected here", position)
    return ExpressionError("not an expression", 0)


def _lexical(message: str, text: str, position: int) -> str:
    """Describe an error in a single token."""
    opening = text[position : position + 1]
    if message.startswith("Unclosed"):
        return f"this {opening} is never closed"
    if opening == "`":
        return "the text between backticks must be JSON"
    if opening == '"':
        return "not a name: it is quoted as JSON quotes text"
    if opening == "=":
        return "= is not an operator: equality is =="
    return f"{opening!r} is not valid here"
