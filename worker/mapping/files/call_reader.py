"""Reads one call of a mapping file into a `CallRule`, and reports all problems."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from worker.core.near_matches import closest, did_you_mean
from worker.core.reasons import Rejected
from worker.customerio.reference import SEMANTIC_EVENTS
from worker.customerio.semantic import check_event_name, reserved
from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.formats.envelopes.unwrapped import Envelope
from worker.mapping.calls.assembly import convert
from worker.mapping.calls.specs import CALLS, CallSpec, Field, Kind
from worker.mapping.calls.validation import check_shared, check_traits
from worker.mapping.expressions.expression import Expression, ExpressionError
from worker.mapping.expressions.habits import habit
from worker.mapping.expressions.parser import UNQUOTED_NAME
from worker.mapping.files.rules import CallRule, Value
from worker.mapping.files.schema import RULE_KEYS

_WORDS = re.compile(r"\w[\w ,.!?/:+-]*")
_LITERAL_TEXT = "literal text is written in single quotes, inside YAML's own quotes: \"'{}'\""

_MEANT = {
    ("identify", "properties"): "traits",
    ("group", "properties"): "traits",
    ("track", "traits"): "properties",
    ("page", "traits"): "properties",
    ("screen", "traits"): "properties",
    ("track", "name"): "event",
    ("page", "event"): "name",
    ("screen", "event"): "name",
}
"""Frequent mistakes: a field of another call, and the one that is meant."""


class CallReader:
    """Reads the calls and expressions of one document.

    Args:
        document: the mapping file.
        problems: where to add the problems found.

    Attributes:
        envelope: the file's envelope.
    """

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._document = document
        self._problems = problems
        self.envelope: Envelope | None = None

    def call(self, given: dict[str, Any], path: Path, others: Collection[str] = ()) -> CallRule | None:
        """Read a mapping that has `call`; keys in `others` belong to the rule."""
        name = given["call"]
        spec = CALLS.get(name) if isinstance(name, str) else None
        if spec is None:
            hint = _semantic_hint(str(name)) or did_you_mean(str(name), CALLS) or f"one of {', '.join(CALLS)}"
            self._report(f"there is no call '{name}'", (*path, "call"), hint=hint)
            return None
        own = {key: value for key, value in given.items() if key not in others and key != "call"}
        meant = self._known_keys(spec, own, path, others)
        event, event_from = self._event(spec, own, path, meant)
        fields = {
            key: self._field(spec.fields[key], value, (*path, key))
            for key, value in own.items()
            if key in spec.fields and key != "event"
        }
        self._check_known(spec, fields, path)
        defaults = self._envelope_defaults(spec, own)
        call = CallRule(spec, path, event, event_from, fields | defaults, frozenset(defaults))
        self._complete(call, {*own, *meant})
        return call

    def expression(self, path: Path) -> Expression | None:
        """Read the expression at `path`; None if it is invalid."""
        text = str(self._at(path))
        bare = text.strip()
        if self._document.is_quoted(path) and UNQUOTED_NAME.fullmatch(text):
            hint = f"\"'{text}'\" for the text, {text} without quotes for the event's field"
            self._report(f"the quoted word '{text}' would be read as a field's name", path, hint=hint)
            return None
        if not bare:
            self._report("an empty text is not an expression", path, hint="remove the key, or write \"''\"")
            return None
        try:
            return Expression.parse(text, self.envelope.root if self.envelope else None)
        except ExpressionError as error:
            at, meant = (error.position, error.hint)
            if meant is None:
                at, meant = habit(text, at) or (at, _hint_for(bare))
            self._problems.append(
                self._document.problem(
                    f"`{_shortened(bare)}` is not an expression: {error.message}",
                    path,
                    offset=at,
                    hint=meant,
                )
            )
            return None

    def _envelope_defaults(self, spec: CallSpec, own: dict[str, Any]) -> dict[str, Value]:
        """The fields that the envelope gives and the call does not."""
        if self.envelope is None:
            return {}
        root = self.envelope.root
        return {
            name: Expression.parse(text, root)
            for name, text in self.envelope.defaults.items()
            if name in spec.fields and name not in own
        }

    def _known_keys(
        self, spec: CallSpec, own: dict[str, Any], path: Path, others: Collection[str]
    ) -> set[str]:
        """Report the keys that the call does not have; returns which ones were probably meant by them."""
        every: set[str] = set()
        known = {*spec.fields, *(("event_from",) if "event" in spec.fields else ())}
        for key in own:
            if key in known:
                continue
            meant = _MEANT.get((spec.name, key)) or closest(key, {*known, *others})
            hint = f"did you mean '{meant}'?" if meant else f"it takes {', '.join(sorted(known))}"
            if key in RULE_KEYS:
                hint = "it belongs to the rule"
            self._report(f"{spec.name} takes no '{key}'", (*path, key), key=True, hint=hint)
            every |= {meant} if meant else set()
        return every

    def _event(
        self, spec: CallSpec, own: dict[str, Any], path: Path, meant: Collection[str]
    ) -> tuple[str | None, Expression | None]:
        if "event" not in spec.fields:
            return None, None
        if "event" in own and "event_from" in own:
            self._report("`event` and `event_from` exclude each other", (*path, "event_from"), key=True)
        elif not {"event", "event_from"} & {*own, *meant}:
            self._report("track needs `event`", (*path, "call"), hint="event: Order Completed")
        event_from = None
        if "event_from" in own:
            event_from = self._text_expression((*path, "event_from"))
        return self._event_name(own, path), event_from

    def _event_name(self, own: dict[str, Any], path: Path) -> str | None:
        if "event" not in own:
            return None
        name, at = own["event"], (*path, "event")
        if not isinstance(name, str) or not name.strip():
            hint = "put it in quotes" if isinstance(name, int | float) else "event: Order Completed"
            self._report("`event` must be text that is not blank", at, hint=hint)
            return None
        try:
            return check_event_name(name)
        except Rejected as rejected:
            self._report(rejected.detail.rstrip("."), at, hint=_semantic_hint(name))
            return None

    def _text_expression(self, path: Path) -> Expression | None:
        if isinstance(self._at(path), str):
            return self.expression(path)
        self._report(f"`{path[-1]}` must be an expression", path)
        return None

    def _field(self, field: Field, value: Any, path: Path) -> Value:
        """Read a field's value, and check all that can be checked without an event."""
        if value is None:
            self._report(f"`{field.name}` is empty", path, key=True, hint="remove the key")
            return None
        if field.kind is Kind.OBJECT and isinstance(value, dict):
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, str):
            expression = self.expression(path)
            if expression is not None:
                self._literal(field, expression, path)
            return expression
        self._convertible(field, value, path)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _value(self, value: Any, path: Path) -> Value:
        match value:
            case str():
                return self.expression(path)
            case dict():
                return {key: self._value(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self._value(item, (*path, index)) for index, item in enumerate(value)]
            case bool() | int() | float() | None:
                return value
        raise TypeError(type(value).__name__)

    def _literal(self, field: Field, expression: Expression, path: Path) -> None:
        """Check an expression that is a literal, or looks like an attempt at one."""
        if expression.text.strip() in field.choices:
            text = expression.text.strip()
            self._problems.append(
                self._document.problem(
                    f"'{text}' is read as the event's field of that name",
                    path,
                    hint=f"for the text write \"'{text}'\"",
                    warning=True,
                )
            )
        if expression.is_literal:
            self._convertible(field, expression.search({}, {}), path)

    def _convertible(self, field: Field, value: Any, path: Path) -> None:
        try:
            converted = convert(field, value)
        except Rejected as rejected:
            self._report(rejected.detail.rstrip("."), path)
            return
        if converted is None:
            self._report(f"`{field.name}` must not be blank", path)

    def _check_known(self, spec: CallSpec, fields: dict[str, Value], path: Path) -> None:
        """Check constants as a call's values are checked, each key alone, so that the problem names its place."""
        for name in ("traits", "context", "integrations"):
            given = fields.get(name)
            for key, value in _known_items(given) if isinstance(given, dict) else ():
                part = {"type": spec.type, name: {key: value}}
                try:
                    check_shared(part)
                    check_traits(part)
                except Rejected as rejected:
                    self._report(rejected.detail.rstrip("."), (*path, name, key))

    def _complete(self, call: CallRule, own: Collection[str]) -> None:
        """Report required fields that the call does not give; `own` are its keys."""
        spec, at = call.spec, (*call.path, "call")
        for name, field in spec.fields.items():
            if field.required and name not in own and field.kind is not Kind.EVENT:
                self._report(f"{spec.name} needs `{name}`", at)
        if spec.one_of and not any(name in own for name in spec.one_of):
            self._report(f"{spec.name} needs {' or '.join(f'`{name}`' for name in spec.one_of)}", at)
        properties = call.fields.get("properties")
        without_url = properties is None or (isinstance(properties, dict) and "url" not in properties)
        if spec.name_or_url and "name" not in own and without_url:
            self._report(f"{spec.name} needs `name`, or `properties` with `url`", at)

    def _at(self, path: Path) -> Any:
        value = self._document.data
        for step in path:
            value = value[step]
        return value

    def _report(self, message: str, path: Path, *, key: bool = False, hint: str | None = None) -> None:
        self._problems.append(self._document.problem(message, path, key=key, hint=hint))


def _known_items(given: dict[str, Value]) -> Iterator[tuple[str, Any]]:
    """The items of an object that are constants, as they are sent."""
    for key, value in given.items():
        if isinstance(value, dict):
            yield key, dict(_known_items(value))
        elif not isinstance(value, Expression | list):
            yield key, value
        elif isinstance(value, Expression) and value.is_literal:
            yield key, value.search({}, {})


def _hint_for(text: str) -> str | None:
    """Guess what was meant by a text that is not an expression."""
    return _LITERAL_TEXT.format(text) if _WORDS.fullmatch(text) else None


def _semantic_hint(name: str) -> str | None:
    """The call that sends a reserved event name."""
    calls = {event: call for call, event in SEMANTIC_EVENTS.items()}
    call = calls.get(reserved(name) or "")
    return f"call: {call}" if call else None


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else one_line[:57] + "..."
