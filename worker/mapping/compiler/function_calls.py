"""Calls of `concat` and `lookup` as Python source, with their usual case written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from worker.mapping.compiler.templates import typed
from worker.mapping.expressions import ir, text_length
from worker.mapping.expressions.tables import in_table, in_table_or_null, look_up

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code


def write_concat(code: Code, node: ir.Call, arguments: list[str], call: str) -> str:
    """Write a `concat`.

    Args:
        code: the function under construction.
        node: the call.
        arguments: names, or literal texts.
        call: the Python that calls the function, for all other cases.

    Returns:
        The local that holds the text.
    """
    known = code.recall(call)
    if known is not None:
        return known
    pairs = list(zip(node.arguments, arguments, strict=True))
    tests = filter(None, (typed(argument, name, ("str",)) for argument, name in pairs))
    lengths = [f"len({name})" for argument, name in pairs if not _is_text(argument)]
    literal = sum(len(argument.value) for argument in node.arguments if _is_text(argument))
    result = code.name("text")
    with code.block(f"if {' and '.join(tests) or 'True'}:"):
        code.line(f"{code.constant(text_length.check)}('concat', {' + '.join([*lengths, str(literal)])})")
        code.line(f"{result} = {' + '.join(arguments)}")
    with code.block("else:"):
        code.line(f"{result} = {call}")
    code.remember(call, result)
    return result


def write_lookup(code: Code, node: ir.Lookup, name: str, key: str) -> str:
    """Write a `lookup`.

    Args:
        code: the function under construction.
        node: the call.
        name: a name, or literal text: the table's name.
        key: a name, or literal text.

    Returns:
        A Python expression for the value. If the node is not `soft`, what it takes to compute it can raise `Mismatch`.
    """
    if not isinstance(node.table, ir.Literal):
        tables = code.constant(node.tables, "tables")
        return code.share(f"{code.constant(look_up)}({tables}, {name}, {key})", "found")
    table = code.constant(node.tables[node.table.value], "table")
    if not node.soft:
        return code.share(f"{code.constant(in_table)}({table}, {key})", "found")
    other = f"{code.constant(in_table_or_null)}({table}, {key})"
    return f"({table}.get({key}) if type({key}) is str else {other})"


def _is_text(node: ir.Node) -> TypeGuard[ir.Literal]:
    return isinstance(node, ir.Literal) and type(node.value) is str
