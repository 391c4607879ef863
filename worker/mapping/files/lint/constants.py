"""Ids that are the same for every event, and literal texts where a value of the event was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import PATH, filled, text_of
from worker.mapping.files.lint.literals import found
from worker.mapping.files.lint.spots import Spot, walk

_IDS = {
    "userId": "they would all be one person's",
    "anonymousId": "they would all be one person's",
    "previousId": "they would all be one person's",
    "messageId": "Customer.io stores only one of them",
}
"""Fields that differ between events, and what happens if they do not."""

_PLACEHOLDER = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}")


def constant_findings(spot: Spot, events: Sequence[dict[str, Any] | None]) -> Iterator[Problem]:
    """A literal id, a literal default of an id, `${...}` in a text, and texts that nothing is done to.

    Args:
        spot: the expression.
        events: the fixtures' events, for which field a text was meant as.
    """
    yield from _constant_id(spot, events)
    for node in walk(spot.node):
        if node["type"] == "literal" and _PLACEHOLDER.search(str(node["value"])):
            hint = f"write {filled(str(node['value']), _PLACEHOLDER)}"
            yield spot.warning("this is literal text: ${...} is not replaced", node["start"], hint)
        elif node["type"] == "function_expression" and _is_unchanged(node):
            first, *others = node["children"]
            arguments = ", ".join(map(text_of, [others[-1], first, *others[:-1]]))
            hint = f"the text comes first: {node['value']}({arguments})"
            yield spot.warning(f"{node['value']}() does nothing to this text", node["start"], hint)


def _constant_id(spot: Spot, events: Sequence[dict[str, Any] | None]) -> Iterator[Problem]:
    harm = _IDS.get(str(spot.path[-1])) if spot.is_field else None
    if harm is None:
        return
    if _is_text(spot.node):
        text: str = spot.node["value"]
        without = "leave it out, or write the field with the event's own id"
        hint = without if spot.path[-1] == "messageId" else "write the field that holds the id"
        if _is_path(text, events):
            hint = f"write {text} without the single quotes"
        yield spot.warning(f"this is the same text for every event: {harm}", spot.node["start"], hint)
    elif spot.node["type"] == "or_expression" and _is_text(spot.node["children"][-1]):
        others = {**spot.node, "children": spot.node["children"][:-1]}
        meant = others if len(others["children"]) > 1 else others["children"][0]
        hint = f"ids that are not found are handled: write {text_of(meant)}"
        message = f"this is the same text for every event without an id: {harm}"
        yield spot.warning(message, spot.node["children"][-1]["start"], hint)


def _is_path(text: str, events: Sequence[dict[str, Any] | None]) -> bool:
    """Whether a text is the path of a value in a fixture; without fixtures, whether it looks like one."""
    if not PATH.fullmatch(text):
        return False
    return (
        any(found(event, text) is not None for event in events) if any(events) else "." in text or "_" in text
    )


def _is_text(node: Node) -> bool:
    return node["type"] == "literal" and isinstance(node["value"], str)


def _is_unchanged(node: Node) -> bool:
    """`split(',', tags)`, and `replace` in a literal text that does not contain what is replaced."""
    children = node["children"]
    if node["value"] == "split":
        return _is_text(children[0]) and not _is_text(children[1])
    if node["value"] != "replace" or not (_is_text(children[0]) and _is_text(children[1])):
        return False
    text, old = children[0]["value"], children[1]["value"]
    return old == "" or old not in text
