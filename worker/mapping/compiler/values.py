"""Mapping values as Python source: expressions, and the structures that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.mapping.compiler.packed import object_type
from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of an object under construction.

    Attributes:
        key: the key.
        text: a Python expression for its value: a local, or something constant.
        nullable: whether that may be None, which leaves the key out.
    """

    key: str
    text: str
    nullable: bool = False


def emit_value(code: Code, value: Any, *, omit: bool) -> str:
    """Emit a mapping file's value; returns a name, or a Python expression for something constant.

    Args:
        code: the function under construction.
        value: an expression, or a structure with expressions inside.
        omit: whether keys of an object whose expression finds nothing are left out, or null.
    """
    match value:
        case Expression() if value.is_literal:
            found = value.search({}, {})
            plain = found is None or isinstance(found, str | int | float)
            return repr(found) if plain else code.constant(found, "literal")
        case Expression():
            return code.share(value.emit(code), "value")
        case dict():
            found = [(key, item, emit_value(code, item, omit=omit)) for key, item in value.items()]
            return emit_object(
                code, [Entry(key, text, omit and _may_be_null(item)) for key, item, text in found]
            )
        case list():
            return f"[{', '.join(emit_value(code, item, omit=omit) for item in value)}]"
    return repr(value)


def _may_be_null(value: Any) -> bool:
    return isinstance(value, Expression) and not (value.is_literal and value.node["value"] is not None)


def emit_object(code: Code, entries: list[Entry], hint: str = "object") -> str:
    """Emit an object of these entries, in order, without the nullable ones that are None; returns its local.

    A packed object leaves these out by itself. In a dict usually everything is found: then it is one display, which
    takes half the time of adding keys one by one.
    """
    name = code.name(hint)
    packed = object_type((entry.key, entry.nullable) for entry in entries) if code.packs else None
    if packed is not None:
        code.line(
            f"{name} = {code.constant(packed, f'{hint}_type')}({', '.join(entry.text for entry in entries)})"
        )
        return name
    code.line(f"{name} = {{{', '.join(f'{entry.key!r}: {entry.text}' for entry in entries)}}}")
    for entry in entries:
        if entry.nullable:
            with code.block(f"if {entry.text} is None:"):
                code.line(f"del {name}[{entry.key!r}]")
    return name
