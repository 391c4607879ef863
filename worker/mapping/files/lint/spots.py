"""Where expressions stand in a mapping file.

This reads the file's plain values and not what the reader makes of them, so that a mistake in one rule keeps nothing
of the other rules from being looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.mapping.calls.specs import CALLS
from worker.mapping.expressions.parser import UNQUOTED_NAME, ExpressionError, Node, parse
from worker.mapping.files.schema import RULE_KEYS


@dataclass(frozen=True, slots=True)
class Spot:
    """One expression of a file.

    Attributes:
        document: the file.
        path: of the expression's text.
        text: the expression.
        node: its tree, with positions.
        rule: the rule's position in the file, from 0.
    """

    document: Document
    path: Path
    text: str
    node: Node
    rule: int

    @property
    def is_condition(self) -> bool:
        """Whether this is a rule's `when`."""
        return self.path[-1] == "when"

    @property
    def is_field(self) -> bool:
        """Whether this is the whole value of a call's field."""
        return len(self.path) == 3 or (len(self.path) == 5 and self.path[2] == "calls")

    def warning(self, message: str, start: int, hint: str | None = None) -> Problem:
        """A finding at a character of the expression."""
        return self.document.problem(message, self.path, offset=start, hint=hint, warning=True)


def calls_of(document: Document) -> Iterator[tuple[int, Path, dict[str, Any]]]:
    """Each call of a file that names a known one: its rule's position, its path, its keys."""
    for index, rule in rules_of(document):
        path: Path = ("rules", index)
        calls = rule.get("calls")
        inner = [
            ((*path, "calls", at), call) for at, call in enumerate(calls if isinstance(calls, list) else [])
        ]
        for at, call in [(path, rule), *inner]:
            if isinstance(call, dict) and isinstance(call.get("call"), str) and call["call"] in CALLS:
                yield index, at, call


def rules_of(document: Document) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rules that are mappings, with their positions."""
    rules = document.data.get("rules") if isinstance(document.data, dict) else None
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict):
            yield index, rule


def topics_of(document: Document) -> list[str]:
    """The names and patterns of `topics` that are texts."""
    topics = document.data.get("topics") if isinstance(document.data, dict) else None
    return [topic for topic in topics if isinstance(topic, str)] if isinstance(topics, list) else []


def spots(document: Document) -> list[Spot]:
    """Every expression of a file that can be parsed."""
    found = [
        spot
        for index, rule in rules_of(document)
        for spot in _in_value(document, ("rules", index, "when"), rule.get("when"), index)
    ]
    for index, path, call in calls_of(document):
        known = {*CALLS[call["call"]].fields, "event_from"} - {"event", *RULE_KEYS}
        for key in call:
            if key in known:
                found += _in_value(document, (*path, key), call[key], index)
    return sorted(found, key=lambda spot: spot.rule)


def _in_value(document: Document, path: Path, value: Any, rule: int) -> Iterator[Spot]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _in_value(document, (*path, key), item, rule)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_value(document, (*path, index), item, rule)
    elif isinstance(value, str) and not (document.is_quoted(path) and UNQUOTED_NAME.fullmatch(value)):
        try:
            yield Spot(document, path, value, parse(value, positions=True), rule)
        except ExpressionError:
            return  # the reader reports it


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    if node["type"] != "slice":
        for child in node["children"]:
            yield from walk(child)


def first_character(node: Node) -> int:
    """Where the text of a node begins."""
    starts = [each["start"] for each in walk(node) if "start" in each]
    return min(starts, default=0)
