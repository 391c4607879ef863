"""The intermediate representation of expressions, between JMESPath's syntax and Python source.

`compiler.lower` makes it of a syntax tree, `compiler.write` writes it as Python, and `compiler.decoder` finds in it
which fields are used. Every choice that the syntax leaves open is made: which functions are written inline, what is
left to the library, where a condition and where a value is wanted.

A node is evaluated on a value, as in JMESPath: the event at the root, one item inside a projection, and in a `Path`
what the step before it found.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from worker.mapping.expressions.parser import Node as Syntax


@dataclass(frozen=True, slots=True)
class Current:
    """The value itself: `@`."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """`_kafka` of the record."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Any


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object; null of all else."""

    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a list; null of all else."""

    index: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of a list; null of all else."""

    bounds: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """`a.b`, `a[0]`, `a | b`: each step is evaluated on what the one before found."""

    steps: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """`{a: x}` and `[x]`: a new object or list; null of null.

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
    """`<`, `<=`, `>`, `>=` of two numbers or two texts; of all else null, or false where a condition is wanted."""

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
        inline: whether it is written out, and null where an argument has a wrong type. Otherwise a wrong type
            raises `Mismatch`, which makes the whole expression null.
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
class Library:
    """What the `jmespath` library evaluates.

    Attributes:
        syntax: the tree for it.
        uses: the same lowered, or what it is made of: these values are used whole.
    """

    syntax: Syntax
    uses: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Flatten:
    """`[]` that nothing follows."""

    value: Node


@dataclass(frozen=True, slots=True)
class Projection:
    """`a[*].b`, `a[].b`, `a.*.b` and `a[?c].b`.

    Attributes:
        source: what is visited.
        each: evaluated on each item; what is null is left out.
        condition: which items count; None for all.
        kind: "items" of a list, "flat" for items of a list in which lists are spliced, "values" of an object.
        of_objects: whether fields of the items are read, so that these are objects as good as always.
        again: the syntax of the same on the list itself, for lists that hold anything else.
        again_calls: whether that calls a function.
    """

    source: Node
    each: Node
    condition: Node | None
    kind: str
    of_objects: bool
    again: Syntax
    again_calls: bool


Node = (
    Current | Kafka | Literal | Field | Element | Slice | Path | Select | Equal | Order
    | Truth | Not | Logic | Call | Map | Library | Flatten | Projection
)  # fmt: skip


def operands(node: Node) -> tuple[Node, ...]:
    """The nodes that a node is made of, in order."""
    found: list[Node] = []
    for each in fields(node):
        part = getattr(node, each.name)
        found += [one for one in (part if isinstance(part, tuple) else (part,)) if isinstance(one, Node)]
    return tuple(found)
