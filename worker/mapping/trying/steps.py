"""How a mapping treats one record, step by step: each rule that is tried, each field's value, what was refused.

Expressions are evaluated here by the interpreter, not by the function that the mapping is compiled to, so that every
part of an expression has a value. What becomes of the record is `Mappings.explain`'s answer; both agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from worker.core.reasons import Rejected
from worker.core.records import Record
from worker.documents.document import Path
from worker.mapping.decoding import Decoded, Decoding
from worker.mapping.explaining import Explanation
from worker.mapping.expressions.expression import Expression, ExpressionFailed
from worker.mapping.expressions.interpreter import Variables
from worker.mapping.expressions.text import text_of
from worker.mapping.files.rules import CallRule, MappingFile, Rule, Value
from worker.mapping.mappings import Mappings
from worker.mapping.trying.missing import missing_part, type_of


@dataclass(frozen=True, slots=True)
class Found:
    """An expression, or a part of one, and what it finds in the event.

    Attributes:
        text: the expression.
        value: what it finds; None for nothing.
        missing: which part of it the event does not have; None where that is not known.
        failed: why it cannot be evaluated on this event; None where it can.
    """

    text: str
    value: Any = None
    missing: str | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a `when`: a comparison, a function or a value.

    Attributes:
        whole: the part, and its value.
        sides: the two sides of a comparison, a function's arguments, or the value itself; without literals.
        note: why a comparison of these types never holds; None where that is not so.
    """

    whole: Found
    sides: tuple[Found, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TriedRule:
    """A rule that was tried.

    Attributes:
        at: the rule, as `file:line`.
        when: its condition, as the file has it; None where it has none.
        matches: whether it handles the record.
        failed: why its `when` cannot be evaluated.
        conditions: the parts of `when`.
    """

    at: str
    when: str | None
    matches: bool
    failed: str | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field of a call, and what its expression finds.

    Attributes:
        name: its path in the call: `userId`, `properties.total`.
        at: where its value stands, as `file:line:column`.
        found: the value.
        is_expression: whether the file gives an expression that depends on the event.
    """

    name: str
    at: str
    found: Found
    is_expression: bool = True


@dataclass(frozen=True, slots=True)
class Steps:
    """How a record was treated.

    Attributes:
        explanation: what becomes of it.
        rules: the rules in the order in which they were tried; the last one handles the record if it matches.
        mapper: the Python function of that rule; None if it has none.
        calls: the name of each call of that rule, with its fields; of a call with `for_each`, once for each item.
        lets: the names that the rule uses, with the values of their expressions.
    """

    explanation: Explanation
    rules: list[TriedRule] = field(default_factory=list)
    mapper: str | None = None
    calls: list[tuple[str, list[FieldValue]]] = field(default_factory=list)
    lets: list[FieldValue] = field(default_factory=list)

    @property
    def refused(self) -> FieldValue | None:
        """The field whose value the record is rejected for, where it is known."""
        rejected = self.explanation.rejected
        at = rejected.at if rejected else None
        return next((each for _, fields in self.calls for each in fields if each.at == at), None)


def steps_of(mappings: Mappings, record: Record, explanation: Explanation) -> Steps:
    """Treat a record step by step.

    Args:
        mappings: the mapping files.
        record: the record.
        explanation: what `mappings.explain` says of it.
    """
    steps = Steps(explanation)
    file = mappings.file_of(record.topic())
    if file is None:
        return steps
    try:
        decoded = Decoding.of(file).decoded(record)
    except Rejected:
        return steps
    if decoded.ignored is not None:
        return steps
    seen = _Seen(file, decoded)
    for rule in file.rules:
        tried = seen.tried(rule)
        steps.rules.append(tried)
        if tried.matches:
            calls = [made for call in rule.calls for made in seen.calls(call)]
            return Steps(steps.explanation, steps.rules, rule.mapper, calls, list(seen.lets(rule)))
        if tried.failed is not None:
            break
    return steps


class _Seen:
    """One event, as the rules of a file see it."""

    def __init__(self, file: MappingFile, decoded: Decoded) -> None:
        self._file = file
        self._variables = Variables(decoded.event, decoded.kafka)
        self._key_fault = decoded.key_fault
        self._on_request = bool(file.envelope and file.envelope.tombstones_on_request)

    def tried(self, rule: Rule) -> TriedRule:
        asks = rule.when is not None and (rule.when.asks_for_tombstones or not self._on_request)
        if self._variables.kafka["tombstone"] and not asks:
            return TriedRule(rule.at, rule.when.text if rule.when else None, matches=False)
        if rule.when is None:
            return TriedRule(rule.at, None, matches=not self._variables.kafka["tombstone"])
        found = self.found(rule.when)
        conditions = tuple(map(self._condition, _conditions(rule.when.node)))
        return TriedRule(
            rule.at,
            rule.when.text,
            found.failed is None and _is_true(found.value),
            found.failed,
            conditions,
        )

    def lets(self, rule: Rule) -> Iterator[FieldValue]:
        """The names that a rule uses, the file's first."""
        used = [rule.when, *(each for call in rule.calls for _, each in call.expressions())]
        numbers = {let.number for each in used if each for let in each.lets}
        for path, lets in (((), self._file.lets), (rule.path, rule.lets)):
            for name, let in lets.items():
                if let.number in numbers:
                    yield FieldValue(f"${name}", self._at((*path, "let", name)), self.found(let))

    def calls(self, call: CallRule) -> Iterator[tuple[str, list[FieldValue]]]:
        """A call, or one for each item of its list, with the list itself first."""
        name, each = call.spec.name, call.for_each
        if each is None:
            yield name, list(self._fields(call))
            return
        items = self.found(each)
        yield f"{name} for each", [FieldValue("for_each", self._at((*call.path, "for_each")), items)]
        whole = self._variables
        for index, item in enumerate(items.value if isinstance(items.value, list) else []):
            self._variables = whole.of_item(item, index)
            yield f"{name} for $index {index}", list(self._fields(call))
        self._variables = whole

    def _fields(self, call: CallRule) -> Iterator[FieldValue]:
        if call.event is not None:
            literal = Found(call.event, call.event)
            yield FieldValue("event", self._at((*call.path, "event")), literal, is_expression=False)
        for path, value in call.values():
            if path != ("for_each",):
                yield FieldValue(
                    ".".join(map(str, path)),
                    self._at(call.at(path)),
                    self.found(value),
                    is_expression=isinstance(value, Expression) and not value.is_literal,
                )

    def found(self, value: Value) -> Found:
        if not isinstance(value, Expression):
            return Found("", value)
        if value.uses_headers and self._variables.kafka["headers"] is None:
            return Found(value.text, failed="the record's headers cannot be read")
        if value.uses_key and self._key_fault is not None:
            return Found(value.text, failed="the record's key cannot be decoded")
        try:
            found = value.evaluate(self._variables)
        except ExpressionFailed as error:
            return Found(value.text, failed=str(error))
        missing = missing_part(value.node, self._variables) if found is None else None
        return Found(value.text, found, missing)

    def _condition(self, node: dict[str, Any]) -> Condition:
        sides = [(each["type"] == "literal", self._part(each)) for each in _sides(node)]
        note = _note(node["value"], *(side for _, side in sides)) if node["type"] == "comparator" else None
        return Condition(self._part(node), tuple(side for is_literal, side in sides if not is_literal), note)

    def _part(self, node: dict[str, Any]) -> Found:
        return self.found(Expression(text_of(node), node))

    def _at(self, path: Path) -> str:
        line, column = self._file.document.position(path)
        return f"{self._file.document.file}:{line}:{column}"


def _is_true(value: Any) -> bool:
    """Whether JMESPath calls a value true: 0 is."""
    return not (value is None or value is False or value in ("", [], {}))


def _conditions(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What `&&` and `||` join."""
    if node["type"] in {"and_expression", "or_expression"}:
        for child in node["children"]:
            yield from _conditions(child)
    else:
        yield node


def _sides(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a condition compares, negates or hands to a function."""
    match node["type"]:
        case "comparator":
            yield from node["children"]
        case "function_expression":
            yield from (child for child in node["children"] if child["type"] != "expref")
        case "not_expression":
            for part in _conditions(node["children"][0]):
                yield from _sides(part)
        case _:
            yield node


def _note(operator: str, left: Found, right: Found) -> str | None:
    """Why two values of these types are never equal, or have no order."""
    types = [_NUMBER if each in _NUMBERS else each for each in (type_of(left.value), type_of(right.value))]
    if left.value is None or right.value is None:
        return None
    if operator in {"eq", "ne"}:
        return None if types[0] == types[1] else f"{types[0]} is never equal to {types[1]}"
    has_order = types[0] == types[1] and types[0] in {_NUMBER, "text"}
    return None if has_order else f"{types[0]} and {types[1]} have no order"


_NUMBER = "a number"
_NUMBERS = frozenset({"a whole number", "a fraction"})
