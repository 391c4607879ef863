"""`if`, `default`, `try`, `lookup` and `$name` as Python source."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

from worker.mapping.expressions import ir
from worker.mapping.expressions.tables import in_table, in_table_or_null, look_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.mapping.compiler.objects import Objects
    from worker.mapping.compiler.source import Code, Fragment


class Writer(Protocol):
    """What writes the expressions inside; see `write`."""

    raises: bool
    code: Code
    constant: Callable[..., str]
    objects: Objects
    event: str

    def value(self, node: ir.Node, at: str) -> str:
        """Write a node; returns a Python expression for its value."""
        ...

    def whole(self, node: ir.Node, at: str, *, catches: bool = False) -> str:
        """As `value`, but null where a function is given a wrong type; with `catches`, where anything fails."""
        ...

    def aside(self, node: ir.Node, at: str) -> tuple[Fragment, str]:
        """Write a node into a fragment."""
        ...

    def named(self, text: str, hint: str) -> str:
        """A name for the value of a Python expression."""
        ...

    def atom(self, node: ir.Node, at: str) -> str:
        """A name or literal text for a node's value."""
        ...

    def result(self, text: str, hint: str = "result") -> str:
        """A name for a value that the following statements may change."""
        ...


def choice(writer: Writer, node: ir.Choice, at: str) -> str:
    """Write `if`: only one of the two values is evaluated."""
    condition = writer.whole(node.condition, at)
    (before, then), (instead, otherwise) = writer.aside(node.then, at), writer.aside(node.otherwise, at)
    if not before and not instead:
        return f"({then} if {condition} else {otherwise})"
    result = writer.code.name("result")
    for header, fragment, text in ((f"if {condition}:", before, then), ("else:", instead, otherwise)):
        with writer.code.block(header):
            writer.code.paste(fragment)
            writer.code.line(f"{result} = {text}")
    return result


def default(writer: Writer, node: ir.Default, at: str) -> str:
    """Write `default` or `try`."""
    found = writer.named(writer.whole(node.value, at, catches=node.catches), "found")
    fragment, otherwise = writer.aside(node.otherwise, at)
    if not fragment:
        return f"({found} if {found} is not None else {otherwise})"
    result = writer.result(found)
    with writer.code.block(f"if {found} is None:"):
        writer.code.paste(fragment)
        writer.code.line(f"{result} = {otherwise}")
    return result


def let(writer: Writer, node: ir.Let) -> str:
    """Write `$order`: its expression is evaluated on the event, unless it was already."""
    if ir.is_field(node.value):  # cheaper to read again than to keep
        return writer.value(node.value, writer.event)
    lets = writer.code.lets
    known = lets.known(node.number)
    if known is not None:
        return known
    local, unset = lets.local(node.number, node.name)
    with writer.code.block(f"if {unset}:") if unset else nullcontext():
        text = writer.whole(node.value, writer.event)
        writer.code.line(f"{local} = {text}")
        writer.objects.same_struct(local, text)
    lets.evaluated(node.number, local)
    return local


def lookup(writer: Writer, node: ir.Lookup, at: str) -> str:
    """Write `lookup`: a method of the table, with a function behind it for keys that are no text."""
    name, key = writer.atom(node.table, at), writer.atom(node.key, at)
    if not isinstance(node.table, ir.Literal):
        writer.raises = True
        return writer.code.share(
            f"{writer.constant(look_up)}({writer.constant(node.tables, 'tables')}, {name}, {key})", "found"
        )
    table = writer.constant(node.tables[node.table.value], "table")
    if node.soft:
        other = f"{writer.constant(in_table_or_null)}({table}, {key})"
        return f"({table}.get({key}) if type({key}) is str else {other})"
    writer.raises = True
    return writer.code.share(f"{writer.constant(in_table)}({table}, {key})", "found")
