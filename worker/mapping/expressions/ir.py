"""The intermediate representation of expressions, between JMESPath's syntax and Python source.

`compiler.lower` makes it from a syntax tree, `compiler.write` writes it as Python, and `compiler.decoder` finds the
fields used. All choices that the syntax leaves open are made here: which functions are inline, what the library
evaluates, and where a condition rather than a value is needed.

As in JMESPath, a node is evaluated on a value: the event at the root, an item inside a projection, and in a `Path` the
previous step's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from worker.mapping.expressions.parser import Node as Syntax


@dataclass(frozen=True, slots=True)
class Current:
    """The value itself: `@`."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """`_kafka` of the record."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """`_change` or `_ce`: what the event's envelope says of it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; null for other types."""

    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a list; null for other types."""

    index: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of a list; null for other types."""

    bounds: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """`a.b`, `a[0]`, `a | b`: each step is evaluated on the result of the previous one."""

    steps: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """`{a: x}` and `[x]`: a new object or list; null for null.

    Attributes:
        names: the keys; None for a list.
        items: their values.
        reads_fields: whether an item reads a field of the value.
    """

    names: tuple[str, ...] | None
    items: tuple[Node, ...]
    reads_fields: bool


@dataclass(frozen=True, slots=True)
class Equal:
    """`==` and `!=`. A literal stands on the right."""

    left: Node
    right: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class Order:
    """`<`, `<=`, `>`, `>=` of two numbers or two strings; otherwise null, or false in a condition."""

    operator: str
    left: Node
    right: Node
    is_condition: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """Whether JMESPath calls a value true."""

    value: Node


@dataclass(frozen=True, slots=True)
class Not:
    """Whether a condition does not hold."""

    condition: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`&&` and `||`. Only as many operands as needed are evaluated.

    Attributes:
        conjunction: `&&`.
        operands: conditions if `is_condition`, else values.
        is_condition: whether the result is true or false, or the operand that was evaluated last.
    """

    conjunction: bool
    operands: tuple[Node, ...]
    is_condition: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function.

    Attributes:
        name: its name.
        arguments: all are evaluated, in order.
        inline: whether it is written inline, and null for an argument of a wrong type. Otherwise a wrong type raises
            `Mismatch`, which makes the whole expression null.
    """

    name: str
    arguments: tuple[Node, ...]
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """`map(&each, items)`."""

    each: Node
    items: Node


@dataclass(frozen=True, slots=True)
class Let:
    """`$order`: the value of an expression of its own, evaluated on the event, at most once a record.

    Attributes:
        name: what follows the `$`.
        number: the expression's, which tells apart equal names of a file and its rules.
        value: the expression. No operand: it is not evaluated on the value that this node is evaluated on.
    """

    name: str
    number: int
    value: Node = field(repr=False, metadata={"operand": False})


@dataclass(frozen=True, slots=True)
class Variable:
    """`$item` and `$index`."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`if(condition, then, otherwise)`. In the condition, a wrong type for a function counts as null."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Default:
    """`default(value, otherwise)` and `try`. In the value, a wrong type for a function counts as null.

    Attributes:
        value: the first argument.
        otherwise: evaluated where that is null.
        catches: whether any other failure of the value counts as null too (`try`).
    """

    value: Node
    otherwise: Node
    catches: bool


@dataclass(frozen=True, slots=True)
class Lookup:
    """`lookup(table, key)`.

    Attributes:
        tables: the mapping file's.
        table: the table's name.
        key: what is looked up.
        soft: whether a key of a wrong type is null. Otherwise it raises `Mismatch`.
    """

    tables: Mapping[str, Any] = field(repr=False)
    table: Node
    key: Node
    soft: bool


@dataclass(frozen=True, slots=True)
class Library:
    """An expression that the `jmespath` library evaluates.

    Attributes:
        syntax: the tree for it.
        uses: the same lowered, or its operands; these values are used whole.
    """

    syntax: Syntax
    uses: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Flatten:
    """`[]` at the end of an expression."""

    value: Node


@dataclass(frozen=True, slots=True)
class Projection:
    """`a[*].b`, `a[].b`, `a.*.b` and `a[?c].b`.

    Attributes:
        source: the list or object whose items are visited.
        each: evaluated on each item; nulls are left out.
        condition: which items are visited; None for all.
        kind: "items" of a list, "flat" for items of a list in which lists are spliced, "values" of an object.
        of_objects: whether fields of the items are read. Then nearly all lists hold only objects, and the loop is
            written for these.
        again: the same projection as syntax, evaluated on the list itself, for lists that hold anything else.
        again_calls: whether `again` calls a function, and so may raise `Mismatch`.
    """

    source: Node
    each: Node
    condition: Node | None
    kind: str
    of_objects: bool
    again: Syntax
    again_calls: bool


Node = (
    Current | Kafka | Envelope | Literal | Field | Element | Slice | Path | Select | Equal | Order
    | Truth | Not | Logic | Call | Map | Let | Variable | Choice | Default | Lookup
    | Library | Flatten | Projection
)  # fmt: skip


def operands(node: Node) -> tuple[Node, ...]:
    """A node's children, in order."""
    found: list[Node] = []
    for each in fields(node):
        if not each.metadata.get("operand", True):
            continue
        part = getattr(node, each.name)
        found += [one for one in (part if isinstance(part, tuple) else (part,)) if isinstance(one, Node)]
    return tuple(found)


def is_field(node: Node) -> bool:
    """Whether a node is `a` or `a.b`, which can be read anywhere, and as often as needed."""
    return isinstance(node, Field) or (isinstance(node, Path) and all(map(is_field, node.steps)))
