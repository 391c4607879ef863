"""Which part of an expression an event does not have, and what it has instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from worker.core.near_matches import closest
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import ENVELOPE, Variables, interpret, without_kafka
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


def missing_part(node: Node, variables: Variables) -> str | None:
    """The first field that an expression reads and the event does not have; else what a function does not accept.

    Examples: `the event has no 'Type' (did you mean 'type'?)`; `customer is text, and has no fields`.
    """
    for begin, names in _paths(node):
        said = _first_missing(names, *_beginning(begin, variables))
        if said is not None:
            return said
    return _unsuited(node, variables)


def _unsuited(node: Node, variables: Variables) -> str | None:
    """The first function that is given a type which it does not take: `lower() does not take a whole number`."""
    for child in same_place(node):
        if said := _unsuited(child, variables):
            return said
    if node["type"] != "function_expression" or any(child["type"] == "expref" for child in node["children"]):
        return None
    try:
        arguments = [_evaluated(child, variables) for child in node["children"]]
    except (Mismatch, ExpressionFailed):
        return None
    try:
        _evaluated(node, variables)
    except Mismatch:
        given = zip(node["children"], arguments, strict=True)
        types = ", ".join(type_of(value) for child, value in given if child["type"] != "literal")
        return f"{node['value']}() does not take {types}" if types and None not in arguments else None
    except ExpressionFailed:
        pass
    return None


def _evaluated(node: Node, variables: Variables) -> Any:
    return interpret(node, without_kafka(variables.event), variables.kafka, variables)


def _beginning(node: Node | None, variables: Variables) -> tuple[Any, str]:
    """The value that a path begins at, and its name."""
    if node is None:
        return without_kafka(variables.event), ""
    if node["type"] == "kafka":
        return variables.kafka, "_kafka"
    if node["type"] == "envelope":
        return variables.kafka.get(ENVELOPE), node["value"]
    return variables.value(node), f"${node['value']}"


def _paths(node: Node) -> Iterator[tuple[Node | None, list[str]]]:
    """The paths of names, each with the node `kafka` or `variable` that it begins at; None for the event itself."""
    path = _path(node)
    if path is not None:
        yield path
        return
    for child in same_place(node):
        yield from _paths(child)


def _path(node: Node) -> tuple[Node | None, list[str]] | None:
    match node["type"]:
        case "field":
            return None, [node["value"]]
        case "kafka" | "envelope" | "variable":
            return node, []
        case "subexpression":
            first, *others = node["children"]
            begin = _path(first)
            if begin is not None and all(child["type"] == "field" for child in others):
                return begin[0], [*begin[1], *(child["value"] for child in others)]
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
