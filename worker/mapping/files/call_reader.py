"""Reads one call of a mapping file into a `CallRule`, and reports all problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.core.reasons import Rejected
from worker.customerio.reference import SEMANTIC_EVENTS
from worker.customerio.semantic import check_event_name, reserved
from worker.documents.document import Path
from worker.mapping.calls.specs import CALLS, CallSpec, Kind
from worker.mapping.calls.validation import check_shared, check_traits
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.defaults import Defaults
from worker.mapping.files.keys import meant_key
from worker.mapping.files.rules import CallRule, Value
from worker.mapping.files.schema import RULE_KEYS
from worker.mapping.files.value_reader import ValueReader

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
    """Reads the calls of one rule.

    Args:
        values: reads the rule's expressions.
        defaults: the fields that a call has unless it gives its own.
        allow: what the rule allows.
    """

    def __init__(self, values: ValueReader, defaults: Defaults, allow: frozenset[str]) -> None:
        self._values = values
        self._defaults = defaults
        self._allow = allow
        self._report = values.report

    def call(self, given: dict[str, Any], path: Path, others: Collection[str] = ()) -> CallRule | None:
        """Read a mapping that has `call`; keys in `others` belong to the rule."""
        name = given["call"]
        spec = CALLS.get(name) if isinstance(name, str) else None
        if spec is None:
            hint = _semantic_hint(str(name)) or did_you_mean(str(name), CALLS) or f"one of {', '.join(CALLS)}"
            said = f"there is no call '{name}'"
            if not isinstance(name, str):
                said, hint = "`call` must be the name of one call", "write a list of several under `calls`"
            self._report(said, (*path, "call"), hint=hint)
            return None
        own = {key: value for key, value in given.items() if key not in others and key != "call"}
        meant = self._known_keys(spec, own, path, others)
        for_each = self._values.text_expression((*path, "for_each")) if "for_each" in own else None
        values = self._values.in_for_each() if "for_each" in own else self._values
        event, event_from = self._event(spec, own, path, meant, values)
        fields = self._defaults.read(
            {key: value for key, value in own.items() if key in spec.fields and key != "event"}, path, values
        )
        call = CallRule(spec, path, event, event_from, for_each, *fields.of(spec, path), self._allow)
        self._check_known(call)
        self._complete(call, {*(key for key in own if own[key] is not None), *meant, *call.fields})
        return call

    def _known_keys(
        self, spec: CallSpec, own: dict[str, Any], path: Path, others: Collection[str]
    ) -> set[str]:
        """Report the keys that the call does not have; returns which ones were probably meant by them."""
        every: set[str] = set()
        known = {*spec.fields, "for_each", *(("event_from",) if "event" in spec.fields else ())}
        for key in own:
            if key in known:
                continue
            meant = _MEANT.get((spec.name, key)) or meant_key(key, {*known, *others} - {"call"})
            hint = f"did you mean '{meant}'?" if meant else f"it takes {', '.join(sorted(known))}"
            if key in RULE_KEYS:
                hint = "it belongs to the rule"
            self._report(f"{spec.name} takes no '{key}'", (*path, key), key=True, hint=hint)
            every |= {meant} if meant else set()
        return every

    def _event(
        self, spec: CallSpec, own: dict[str, Any], path: Path, meant: Collection[str], values: ValueReader
    ) -> tuple[str | None, Expression | None]:
        if "event" not in spec.fields:
            return None, None
        if "event" in own and "event_from" in own:
            self._report("`event` and `event_from` exclude each other", (*path, "event_from"), key=True)
        elif not {"event", "event_from"} & {*own, *meant}:
            self._report("track needs `event`", (*path, "call"), hint="event: Order Completed")
        event_from = None
        if "event_from" in own:
            event_from = values.text_expression((*path, "event_from"))
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

    def _check_known(self, call: CallRule) -> None:
        """Check constants as a call's values are checked, each key alone, so that the problem names its place."""
        for name in ("traits", "context", "integrations"):
            given = call.fields.get(name)
            for key, value in _known_items(given) if isinstance(given, dict) else ():
                part = {"type": call.spec.type, name: {key: value}}
                try:
                    check_shared(part)
                    check_traits(part)
                except Rejected as rejected:
                    self._values.report_once(rejected.detail.rstrip("."), call.at((name, key)))

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


def _known_items(given: dict[str, Value]) -> Iterator[tuple[str, Any]]:
    """The items of an object that are constants, as they are sent."""
    for key, value in given.items():
        if isinstance(value, dict):
            yield key, dict(_known_items(value))
        elif not isinstance(value, Expression | list):
            yield key, value
        elif isinstance(value, Expression) and value.is_literal:
            yield key, value.search({}, {})


def _semantic_hint(name: str) -> str | None:
    """The call that sends a reserved event name."""
    calls = {event: call for call, event in SEMANTIC_EVENTS.items()}
    call = calls.get(reserved(name) or "")
    return f"call: {call}" if call else None
