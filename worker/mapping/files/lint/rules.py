"""Rules that are never reached; event names and properties that only look like the catalogue's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worker.customerio import catalog
from worker.documents.problems import Problem
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.names import names_used
from worker.mapping.expressions.parser import Node, contains
from worker.mapping.files.keys import meant_key
from worker.mapping.files.lint.meaning import meaning_warnings
from worker.mapping.files.lint.terms import term_key
from worker.mapping.files.rules import CallRule, MappingFile, Rule


def rule_warnings(file: MappingFile) -> Iterator[Problem]:
    """Everything that works and is probably not meant."""
    yield from _never_reached(file)
    for rule in file.rules:
        for call in rule.calls:
            if call.event is not None:
                yield from _catalogue(file, call, call.event)
            yield from meaning_warnings(file, call)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The condition of a rule.

    Attributes:
        rule: the rule.
        terms: the parts of its condition that `&&` joins.
        enough: the sets of parts each of which makes the condition true.
        hides: whether it uses a name of its own `let`, which may stand for something else in another rule.
    """

    rule: Rule
    terms: frozenset[str]
    enough: tuple[frozenset[str], ...]
    hides: bool


def _asked(rule: Rule) -> _Asked:
    if rule.when is None:
        return _Asked(rule, frozenset(), (), hides=False)
    hides = not names_used(rule.when.node).isdisjoint(rule.lets)
    return _Asked(rule, _terms(rule.when.node), tuple(_enough(rule.when.node)), hides)


def _terms(node: Node) -> frozenset[str]:
    return frozenset(map(term_key, _joined(node)))


def _enough(node: Node) -> Iterator[frozenset[str]]:
    """The condition's parts; those of each side of `||` if it has no functions: one that fails makes all of it null."""
    yield _terms(node)
    if node["type"] == "or_expression" and not contains(node, "function_expression"):
        for child in node["children"]:
            yield from _enough(child)


def _never_reached(file: MappingFile) -> Iterator[Problem]:
    """Rules that never match, because an earlier one does."""
    every = [_asked(rule) for rule in file.rules if not _is_broken(file, rule)]
    for index, asked in enumerate(every):
        earlier = next((each for each in every[:index] if _always_first(each, asked)), None)
        if earlier is not None:
            line = earlier.rule.at.rpartition(":")[2]
            message = f"this rule can never match: the one in line {line} always does"
            same = asked.rule.when is None or (earlier.rule.when is not None and asked.terms == earlier.terms)
            hint = "join their calls under one `calls`" if same else "move it above that one"
            yield _warning(file, asked.rule, message, hint)


def _is_broken(file: MappingFile, rule: Rule) -> bool:
    """Whether the rule's condition could not be read, or stands under a key that means `when`."""
    given = file.document.data["rules"][rule.path[-1]]
    return rule.when is None and any("when" in (key, meant_key(key, ("when",))) for key in given)


def _always_first(earlier: _Asked, asked: _Asked) -> bool:
    """Whether the later condition is true only if the earlier one is."""
    when = asked.rule.when
    if earlier.rule.when is None:
        # A rule without `when` leaves only tombstones to others, and only `_kafka` tells them apart.
        return when is None or not when.uses_kafka
    if when is None or earlier.rule.when.is_literal or earlier.hides or asked.hides:
        return False  # a literal is a finding of its own
    return any(enough <= asked.terms for enough in earlier.enough)


def _joined(node: Node) -> Sequence[Node]:
    children: Sequence[Node] = node["children"]
    return children if node["type"] == "and_expression" else [node]


def _warning(file: MappingFile, rule: Rule, message: str, hint: str) -> Problem:
    path = (*rule.path, "when") if rule.when is not None else rule.path
    return file.document.problem(message, path, hint=hint, warning=True)


def _catalogue(file: MappingFile, call: CallRule, event: str) -> Iterator[Problem]:
    """An event name that is nearly a known one; literal properties of another type than the known event's."""
    if near := catalog.suggest(event):
        yield file.document.problem(
            f"'{event}' is not an event that Customer.io documents",
            (*call.path, "event"),
            hint=f"did you mean '{near}'?",
            warning=True,
        )
    properties = call.fields.get("properties")
    for name, value in properties.items() if isinstance(properties, dict) else ():
        found, literal = _literal(value)
        for said in catalog.check_properties(event, {name: literal}) if found else ():
            yield file.document.problem(said, call.at(("properties", name)), warning=True)


def _literal(value: Any) -> tuple[bool, Any]:
    """Whether a value is the same for every event, and what it is."""
    match value:
        case Expression():
            return value.is_literal, value.search({}, {}) if value.is_literal else None
        case list():
            items = [_literal(item) for item in value]
            return all(found for found, _ in items), [item for _, item in items]
        case dict():
            members = {key: _literal(item) for key, item in value.items()}
            return all(found for found, _ in members.values()), {
                key: item for key, (_, item) in members.items()
            }
    return True, value
