"""Where expressions stand in a mapping file.

This reads the file's plain values and not what the reader makes of them, so that a mistake in one rule keeps nothing
of the other rules from being looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.formats.envelopes.envelopes import BY_ROOT
from worker.mapping.calls.specs import CALLS
from worker.mapping.expressions.parser import UNQUOTED_NAME, ExpressionError, Node, parse
from worker.mapping.files.defaults import FIELDS
from worker.mapping.files.schema import RULE_KEYS
from worker.mapping.files.tables import read_tables


@dataclass(frozen=True, slots=True)
class Spot:
    """One expression of a file.

    Attributes:
        document: the file.
        path: of the expression's text.
        text: the expression.
        node: its tree, with positions.
        rule: the rule's position in the file, from 0; -1 for what all rules share.
    """

    document: Document
    path: Path
    text: str
    node: Node
    rule: int

    @property
    def is_condition(self) -> bool:
        """Whether this is a rule's `when`."""
        return len(self.path) == 3 and self.path[2] == "when"

    @property
    def is_let(self) -> bool:
        """Whether this is an expression of a `let`."""
        return len(self.path) in (2, 4) and self.path[-2] == "let"

    @property
    def is_list(self) -> bool:
        """Whether this is a call's `for_each`."""
        return self.is_field and self.path[-1] == "for_each"

    @property
    def is_field(self) -> bool:
        """Whether this is the whole value of a call's field."""
        if self.path[0] == "defaults":
            return len(self.path) == 2
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


def _root_in(document: Document) -> str | None:
    """The name by which the file's expressions read the envelope."""
    word = document.data.get("envelope") if isinstance(document.data, dict) else None
    return next((root for root, envelope in BY_ROOT.items() if envelope == word), None)


def spots(document: Document) -> list[Spot]:
    """Every expression of a file that can be parsed."""
    if not isinstance(document.data, dict):
        return []
    found = [*_under(document, (), ("let", "defaults"), -1)]
    for index, rule in rules_of(document):
        found += _under(document, ("rules", index), ("when", "let"), index)
        if "calls" in rule:
            found += _under(document, ("rules", index), tuple(FIELDS), index)
    for index, path, call in calls_of(document):
        known = {*CALLS[call["call"]].fields, "event_from", "for_each"} - {"event", *RULE_KEYS}
        found += _under(document, path, tuple(key for key in call if key in known), index)
    tables = read_tables(document.data.get("tables", {}), document, [])
    for lookup in (node for spot in found for node in walk(spot.node) if node.get("value") == "lookup"):
        lookup["tables"] = {name: table for name, table in tables.items() if table is not None}
    return sorted(found, key=lambda spot: spot.rule)


def _under(document: Document, path: Path, keys: Sequence[str], rule: int) -> Iterator[Spot]:
    """The expressions in the values of some keys."""
    given: Any = document.data
    for step in path:
        given = given[step]
    for key in keys:
        yield from _in_value(document, (*path, key), given.get(key), rule)


def _in_value(document: Document, path: Path, value: Any, rule: int) -> Iterator[Spot]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _in_value(document, (*path, key), item, rule)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_value(document, (*path, index), item, rule)
    elif isinstance(value, str) and not (document.is_quoted(path) and UNQUOTED_NAME.fullmatch(value)):
        try:
            node = parse(value, positions=True, root=_root_in(document))
            yield Spot(document, path, value, node, rule)
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


def selected_from(tree: Node, name: Node) -> Node:
    """What a name of the tree is selected from: `a.b` for the last name of `a.b.c` and of `a.b | c`."""
    for node in walk(tree):
        children = [] if node["type"] == "slice" else node["children"]
        for position, child in enumerate(children):
            if child is name and position:
                return {**node, "children": children[:position]} if position > 1 else children[0]
    return {"type": "current", "children": []}
