"""Mapping values as Python source: expressions, and the structures that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression

EVENT = "event"
KAFKA = "kafka"
"""The converter's locals for the event and its `_kafka`."""


ENVELOPE_ID = "own_id"
"""The converter's local for the event's id in its envelope, in UTF-8, for calls that have no other `messageId`; None
where the envelope has none. Only for envelopes that have a default for it."""


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


def emit_value(code: Code, value: Any, *, omit: bool) -> Entry:
    """Emit a mapping file's value; the entry's key is empty.

    Args:
        code: the function under construction.
        value: an expression, or a structure with expressions inside.
        omit: whether keys of an object whose expression finds nothing are left out, or null.
    """
    match value:
        case Expression():
            return _expression(code, value)
        case dict():
            inner = [_named(code, key, item, omit=omit) for key, item in value.items()]
            return Entry("", emit_object(code, inner))
        case list():
            return Entry("", f"[{', '.join(emit_value(code, item, omit=omit).text for item in value)}]")
    return Entry("", repr(value))


def _named(code: Code, key: str, value: Any, *, omit: bool) -> Entry:
    entry = emit_value(code, value, omit=omit)
    return Entry(key, entry.text, omit and entry.nullable)


def _expression(code: Code, value: Expression) -> Entry:
    if value.is_literal:
        found = value.search({}, {})
        text = repr(found) if found is None or isinstance(found, str | int | float) else None
        return Entry("", text or code.constant(found, "literal"), found is None)
    text = value.emit(code, EVENT, KAFKA)
    return Entry("", text if text.isidentifier() else code.share(text, "value"), nullable=True)


def local(code: Code, text: str, hint: str) -> str:
    """Evaluate a Python expression here; returns the local that holds its value."""
    if text.isidentifier():
        return text
    name = code.name(hint)
    code.line(f"{name} = {text}")
    return name


def emit_object(code: Code, entries: list[Entry], hint: str = "object") -> str:
    """Emit a dict of these entries, in order, without the nullable ones that are None; returns its local.

    Usually everything is found. Then the dict is one display, which takes half the time of adding keys one by one.
    """
    name = code.name(hint)
    nullable = list(dict.fromkeys(entry.text for entry in entries if entry.nullable))
    display = f"{name} = {{{', '.join(f'{entry.key!r}: {entry.text}' for entry in entries)}}}"
    if not nullable:
        code.line(display)
        return name
    with code.block(f"if {' and '.join(f'{text} is not None' for text in nullable)}:"):
        code.line(display)
    with code.block("else:"):
        code.line(f"{name} = {{}}")
        for entry in entries:
            _add(code, name, entry)
    return name


def _add(code: Code, name: str, entry: Entry) -> None:
    statement = f"{name}[{entry.key!r}] = {entry.text}"
    if not entry.nullable:
        code.line(statement)
        return
    with code.block(f"if {entry.text} is not None:"):
        code.line(statement)
