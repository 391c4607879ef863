"""Ids that are the same for every event, and literal texts where a value of the event was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.documents.problems import Problem
from worker.mapping.expressions.parser import Node
from worker.mapping.files.lint.operators import joined_hint
from worker.mapping.files.lint.spots import Spot, walk

_IDS = {
    "userId": "they would all be one person's",
    "anonymousId": "they would all be one person's",
    "previousId": "they would all be one person's",
    "messageId": "Customer.io stores only one of them",
}
"""Fields that differ between events, and what happens if they do not."""

_PLACEHOLDER = re.compile(r"\$\{\s*[A-Za-z_][\w.]*\s*\}")


def constant_findings(spot: Spot) -> Iterator[Problem]:
    """A literal id, a literal default of an id, `${...}` in a text, and texts that nothing is done to."""
    yield from _constant_id(spot)
    for node in walk(spot.node):
        if node["type"] == "literal" and _PLACEHOLDER.search(str(node["value"])):
            hint = joined_hint("texts are joined by")
            yield spot.warning("this is literal text: ${...} is not replaced", node["start"], hint)
        elif node["type"] == "function_expression" and _is_unchanged(node):
            hint = "the text comes first"
            yield spot.warning(f"{node['value']}() does nothing to this text", node["start"], hint)


def _constant_id(spot: Spot) -> Iterator[Problem]:
    harm = _IDS.get(str(spot.path[-1])) if spot.is_field else None
    if harm is None:
        return
    if _is_text(spot.node):
        yield spot.warning(f"this is the same text for every event: {harm}", spot.node["start"])
    elif spot.node["type"] == "or_expression" and _is_text(spot.node["children"][-1]):
        hint = "leave it out: ids that are not found are handled"
        message = f"this is the same text for every event without an id: {harm}"
        yield spot.warning(message, spot.node["children"][-1]["start"], hint)


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
