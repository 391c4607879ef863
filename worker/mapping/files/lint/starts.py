"""Paths that begin with a word for the event or its record, and fields that `_kafka` does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import dropwhile
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import text_of
from worker.mapping.files.lint.envelopes import key_format_in
from worker.mapping.files.lint.spots import Spot, walk

_KAFKA = {
    "topic": "text",
    "partition": "a number",
    "offset": "a number",
    "timestamp": "text",
    "key": "text",
    "tombstone": "a boolean",
    "headers": "",
}
"""What `_kafka` has (see `kafka_fields`), and why it has no fields of its own; nothing for an object."""

_EVENT = frozenset(
    {
        "event",
        "value",
        "payload",
        "record",
        "message",
        "input",
        "this",
        "root",
        "data",
        "body",
        "msg",
        "after",
    }
)
"""What other tools call the event, which is `@` here."""


def start_findings(
    spot: Spot, known: frozenset[str], events: Sequence[dict[str, Any] | None]
) -> Iterator[Problem]:
    """`_kafka.value`, `_kafka.key.id`; `kafka.key` and `event.id`, if no fixture has such a field.

    Args:
        spot: the expression.
        known: every field's name in the fixtures.
        events: the fixtures' events.
    """
    others = {id(child) for node in walk(spot.node) if _is_alternative(node) for child in node["children"]}
    for node in walk(spot.node):
        children = node["children"] if node["type"] == "subexpression" else []
        first, *names = children or [{"type": None}]
        if first["type"] == "kafka":
            yield from _of_kafka(spot, names)
        elif (
            first["type"] == "field"
            and first["value"] not in known
            and any(events)
            and id(node) not in others
        ):
            yield from _of_event(spot, first, names, events)


def _is_alternative(node: Node) -> bool:
    """Whether a node takes one of several paths, of which no event may have all."""
    return node["type"] == "or_expression" or (
        node["type"] == "function_expression" and node["value"] in ("not_null", "default", "try")
    )


def _of_kafka(spot: Spot, names: Sequence[Node]) -> Iterator[Problem]:
    name = names[0]["value"]
    if names[0]["type"] != "field":
        return
    if name not in _KAFKA:
        near = get_close_matches(name, _KAFKA, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(_KAFKA)}"
        if name in ("value", "payload"):
            hint = f"the event's fields stand for themselves: write {_path(names[1:]) or '@'}"
        yield spot.warning(f"_kafka has no '{name}'", names[0]["start"], hint)
    elif name == "key" and key_format_in(spot.document) not in {None, "text"}:
        return
    elif _KAFKA[name] and len(names) > 1 and names[1]["type"] == "field":
        parsed = f"if it is JSON, write parse_json(_kafka.{name}).{_path(names[1:])}"
        meant = parsed if name == "key" else None
        yield spot.warning(f"_kafka.{name} is {_KAFKA[name]}, which has no fields", names[1]["start"], meant)


def _of_event(
    spot: Spot, first: Node, names: Sequence[Node], events: Sequence[dict[str, Any] | None]
) -> Iterator[Problem]:
    if names[0]["type"] != "field":
        return
    message = f"no fixture has '{first['value']}'"
    if first["value"].lower() == "kafka" and names[0]["value"] in _KAFKA:
        yield spot.warning(
            message, first["start"], f"the record is called _kafka: write _kafka.{_path(names)}"
        )
        return
    if first["value"].lower() not in _EVENT:
        return
    names = list(dropwhile(lambda each: each.get("value") in _EVENT and not _has(events, each), names))
    if names and _has(events, names[0]):
        yield spot.warning(message, first["start"], f"paths begin in the event: write {_path(names)}")


def _has(events: Sequence[dict[str, Any] | None], name: Node) -> bool:
    return name["type"] == "field" and any(name["value"] in event for event in events if event)


def _path(names: Sequence[Node]) -> str:
    return ".".join(map(text_of, names))
