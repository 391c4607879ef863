"""Rules that are never reached; event names and properties that only look like the catalogue's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from worker.customerio import catalog
from worker.documents.problems import Problem
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.names import nodes
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


def _never_reached(file: MappingFile) -> Iterator[Problem]:
    """Rules that never match, because an earlier one does."""
    whole = [rule for rule in file.rules if not _is_broken(file, rule)]
    for index, rule in enumerate(whole):
        for earlier in whole[:index]:
            if _always_first(earlier, rule):
                line = earlier.at.rpartition(":")[2]
                message = f"this rule can never match: the one in line {line} always does"
                same = rule.when is None or (earlier.when is not None and _same(rule.when, earlier.when))
                hint = "join their calls under one `calls`" if same else "move it above that one"
                yield _warning(file, rule, message, hint)
                break


def _same(when: Expression, earlier: Expression) -> bool:
    """Whether two conditions are made of the same parts."""
    return set(map(term_key, _joined(when.node))) == set(map(term_key, _joined(earlier.node)))


def _is_broken(file: MappingFile, rule: Rule) -> bool:
    """Whether the rule's condition could not be read, or stands under a key that means `when`."""
    given = file.document.data["rules"][rule.path[-1]]
    return rule.when is None and any("when" in (key, meant_key(key, ("when",))) for key in given)


def _always_first(earlier: Rule, rule: Rule) -> bool:
    if earlier.when is None:
        # What a rule without `when` leaves to others are tombstones, of which only _kafka tells.
        return rule.when is None or not rule.when.uses_kafka
    if earlier.when.is_literal:
        return False  # a finding of its own
    if rule.when is None or any(each.lets.keys() & _names(each.when) for each in (earlier, rule)):
        return False  # the same name may stand for two expressions
    return _implies(rule.when.node, earlier.when.node)


def _names(when: Expression | None) -> set[str]:
    return {node["value"] for node in nodes(when.node) if node["type"] == "variable"} if when else set()


def _implies(later: Node, earlier: Node) -> bool:
    """Whether each condition that `&&` joins in the earlier rule is one of the later rule's.

    An earlier `||` counts only without functions: one that fails makes the whole expression null.
    """
    if set(map(term_key, _joined(earlier))) <= set(map(term_key, _joined(later))):
        return True
    if earlier["type"] != "or_expression" or contains(earlier, "function_expression"):
        return False
    return any(_implies(later, child) for child in earlier["children"])


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
            f"'{event}' is no event that Customer.io documents",
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
