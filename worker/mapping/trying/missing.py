"""Which part of an expression an event does not have, and what it has instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from worker.core.near_matches import closest
from worker.mapping.expressions.interpreter import ENVELOPE, without_kafka
from worker.mapping.expressions.parser import same_place
from worker.mapping.expressions.text import name_of

if TYPE_CHECKING:
    from worker.mapping.expressions.parser import Node

_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a fraction",
    str: "text",
    list: "a list",
    dict: "an object",
}


def type_of(value: Any) -> str:
    """A JSON value's type in words."""
    return _TYPES.get(type(value), "null")


def missing_part(node: Node, event: dict[str, Any], kafka: dict[str, Any]) -> str | None:
    """The first field that an expression asks for and the event does not have; None if all are there.

    Examples: `the event has no 'Type' (did you mean 'type'?)`; `customer is text, and has no fields`.
    """
    root = without_kafka(event) | {each["value"]: kafka.get(ENVELOPE) for each in _envelopes(node)}
    for names, in_kafka in _paths(node):
        said = _first_missing(names, kafka if in_kafka else root, "_kafka" if in_kafka else "")
        if said is not None:
            return said
    return None


def _envelopes(node: Node) -> Iterator[Node]:
    """The nodes that read the event's envelope."""
    if node["type"] == "envelope":
        yield node
    for child in [] if node["type"] == "slice" else node["children"]:
        yield from _envelopes(child)


def _paths(node: Node) -> Iterator[tuple[list[str], bool]]:
    """The paths of names that are read from the event itself, each with whether it begins at `_kafka`."""
    names = _names(node)
    if names is not None:
        yield names
        return
    for child in same_place(node):
        yield from _paths(child)


def _names(node: Node) -> tuple[list[str], bool] | None:
    match node["type"]:
        case "field":
            return [node["value"]], False
        case "kafka":
            return [], True
        case "envelope":
            return [node["value"]], False
        case "subexpression":
            first, *others = node["children"]
            begin = _names(first)
            if begin is not None and all(child["type"] == "field" for child in others):
                return [*begin[0], *(child["value"] for child in others)], begin[1]
    return None


def _first_missing(names: list[str], value: Any, path: str) -> str | None:
    for name in names:
        where = path or "the event"
        if type(value) is not dict:
            return f"{where} is {type_of(value)}" + ("" if value is None else ", which has no fields")
        if name not in value:
            near = closest(name, value)
            return f"{where} has no '{name}'" + (f" (did you mean '{near}'?)" if near else "")
        value = value[name]
        path = f"{path}.{name_of(name)}" if path else name_of(name)
    return f"{path} is null" if value is None else None
