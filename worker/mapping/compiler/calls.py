"""A rule's calls as Python source: found, checked while they are built, encoded once.

The usual calls are written out, with a fast test for each value and the checks of `core.validation` behind
it. Calls whose fields go to several places are put together and checked by the very functions that Python
mappers use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from worker.core.message_id import MessageIds
from worker.customerio.limits import MAX_CALL_BYTES
from worker.customerio.reference import PERSON_IDS
from worker.mapping.calls.assembly import assemble, checked, convert
from worker.mapping.calls.encoding import envelope, refuse, refuse_size
from worker.mapping.calls.specs import CallSpec, Field, Kind
from worker.mapping.calls.validation import (
    TYPED_TRAITS,
    check_shared,
    check_traits,
    identity,
    optional_identity,
)
from worker.mapping.compiler.fast_paths import write_converted
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.run_time import event_name, need_url, nobody, time_of
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.values import Entry, emit_object, emit_value, local
from worker.mapping.files.rules import CallRule, MappingFile, Rule


@dataclass(frozen=True, slots=True)
class Target:
    """What the calls of one topic's records are made for.

    Attributes:
        topic: whose records are converted.
        ids: makes the message ids.
        max_call_bytes: the largest call.
        envelopes: whether to say which context and integrations a call has (`batch.context: partition`).
    """

    topic: str
    ids: MessageIds
    max_call_bytes: int = MAX_CALL_BYTES
    envelopes: bool = True


class CallCode:
    """Writes the calls of one rule into a function that has, in sight of the rule, a `record`.

    Args:
        code: the function under construction.
        file: whose rule it is.
        rule: the rule.
        target: what the calls are for.
        record: writes what is the record's own.
    """

    def __init__(self, code: Code, file: MappingFile, rule: Rule, target: Target, record: RecordCode) -> None:
        self._code = code
        self._reject_ids = file.reject_ids
        self._rule = rule
        self._target = target
        self._record = record

    def call(self, call: CallRule, index: int) -> tuple[str, str]:
        """Write one call; answers Python expressions for its bytes and its envelope."""
        body = self._written_out(call, index) if is_plain(call) else self._assembled(call, index)
        encoded = self._encode(body)
        if not self._target.envelopes or not has_envelope(call):
            return encoded, "b''"
        return encoded, local(self._code, f"{self._constant(envelope)}({body})", "envelope")

    # Calls that are written out

    def _written_out(self, call: CallRule, index: int) -> str:
        spec = call.spec
        entries = [Entry("type", repr(spec.type))]
        for name, field in spec.fields.items():
            if field.kind is Kind.EVENT:
                entries.append(self._event_name(call))
            elif name in call.fields and field.kind not in {Kind.TIME, Kind.EVENT_ID}:
                entries.append(self._field(call, field))
        self._someone(call, entries)
        entries.append(self._time(call))
        entries.append(Entry("messageId", self._message_id(call, index, entries)))
        body = emit_object(self._code, entries, "call")
        if has_envelope(call):
            self._code.line(f"{self._constant(check_shared)}({body})")
        return body

    def _field(self, call: CallRule, field: Field) -> Entry:
        given = call.fields[field.name]
        if field.kind is Kind.OBJECT:
            return self._object(call.spec, field, given)
        found = emit_value(self._code, given, omit=True)
        if field.kind is Kind.IDENTITY:
            return self._identity(field, found.text, needed=is_needed(call, field))
        return self._text(field, found.text)

    def _object(self, spec: CallSpec, field: Field, given: Any) -> Entry:
        found = emit_value(self._code, given, omit=self._omits(field))
        nullable = not isinstance(given, dict)
        if nullable:
            with self._code.block(f"if {found.text} is not None and type({found.text}) is not dict:"):
                self._code.line(f"{self._constant(convert)}({self._constant(field)}, {found.text})")
        if field.name == "traits":
            self._check_traits(spec, found.text, given)
        return Entry(field.name, found.text, nullable=nullable)

    def _check_traits(self, spec: CallSpec, traits: str, given: Any) -> None:
        """Check the traits that Customer.io itself reads, where these may be among them."""
        if isinstance(given, dict) and given.keys().isdisjoint(TYPED_TRAITS[spec.type]):
            return
        check = f"{self._constant(check_traits)}({{'type': {spec.type!r}, 'traits': {traits}}})"
        if spec.type != "identify":
            self._code.line(check)
            return
        there = "" if isinstance(given, dict) else f"{traits} and "
        with self._code.block(f"if {there}type({traits}.get('email', '')) is not str:"):  # it hardly ever is
            self._code.line(check)

    def _identity(self, field: Field, found: str, *, needed: bool) -> Entry:
        """An id: as it is if it is plain text that nobody could take for blank or forbidden."""
        meaning = f"{field.name} of {found}"
        known = self._code.recall(meaning) if needed else None
        if known is not None:
            return Entry(field.name, known)
        found = local(self._code, found, field.name)
        name = self._code.name(field.name)
        check = identity if needed else optional_identity
        arguments = f"{found}, {field.name!r}, {self._constant(self._reject_ids)}"
        checked_id = f"{self._constant(check)}({arguments})"
        write_converted(self._code, field.kind, found, name, checked_id, reject_ids=self._reject_ids)
        if needed:
            self._code.remember(meaning, name)
        return Entry(field.name, name, nullable=not needed)

    def _text(self, field: Field, found: str) -> Entry:
        found = local(self._code, found, field.name)
        name = self._code.name(field.name)
        converted = f"{self._constant(convert)}({self._constant(field)}, {found})"
        write_converted(self._code, field.kind, found, name, converted)
        return Entry(field.name, name, nullable=True)

    def _event_name(self, call: CallRule) -> Entry:
        if call.event_from is None:
            return Entry("event", repr(call.event))
        found = emit_value(self._code, call.event_from, omit=True).text
        name = local(self._code, f"{self._constant(event_name)}({found})", "event_name")
        return Entry("event", name)

    def _someone(self, call: CallRule, entries: list[Entry]) -> None:
        """Refuse a call that is about nobody, where it may be about one of several."""
        wanted = wanted_people(call)
        people = [entry for entry in entries if entry.key in wanted]
        if people and all(entry.nullable for entry in people):
            with self._code.block(f"if {' is None and '.join(entry.text for entry in people)} is None:"):
                self._code.line(f"{self._constant(nobody)}({call.spec.name!r}, {sorted(wanted)!r})")
        if call.spec.name_or_url:
            self._named(call, entries)

    def _named(self, call: CallRule, entries: list[Entry]) -> None:
        """Refuse a page or screen with neither a name nor `properties.url`."""
        texts = {entry.key: entry for entry in entries}
        name, properties = texts.get("name"), texts.get("properties")
        arguments = f"{call.spec.name!r}, {properties.text if properties else None}"
        check = f"{self._constant(need_url)}({arguments})"
        if name is None:
            self._code.line(check)
        elif name.nullable:
            with self._code.block(f"if {name.text} is None:"):
                self._code.line(check)

    # Calls that the builders' functions put together

    def _assembled(self, call: CallRule, index: int) -> str:
        entries = []
        for name in call.spec.fields:
            if name in call.fields and name not in {"timestamp", "messageId"}:
                omit = self._omits(call.spec.fields[name])
                entries.append(Entry(name, emit_value(self._code, call.fields[name], omit=omit).text))
        if "event" in call.spec.fields:
            entries.append(self._event_name(call))
        time = self._time(call)
        values = emit_object(self._code, [*entries, time], "values")
        body = self._code.name("call")
        assembled = f"{self._constant(assemble)}({self._constant(call.spec)}, {values}).body"
        allow = self._constant(frozenset({call.spec.name}))
        reject_ids = self._constant(self._reject_ids)
        self._code.line(
            f"{body} = {self._constant(checked)}({assembled}, allow={allow}, reject_ids={reject_ids})"
        )
        if wanted := wanted_people(call):
            missing = " and ".join(f"{name!r} not in {body}" for name in sorted(wanted))
            with self._code.block(f"if {missing}:"):
                self._code.line(f"{self._constant(nobody)}({call.spec.name!r}, {sorted(wanted)!r})")
        self._code.line(f"{body}['messageId'] = {self._message_id(call, index, entries)}")
        return body

    # What every call has

    def _omits(self, field: Field) -> bool:
        """Whether keys that find nothing are left out: `nulls: send` is about properties and traits."""
        return field.name in {"context", "integrations"} or not self._rule.send_nulls

    def _time(self, call: CallRule) -> Entry:
        if "timestamp" not in call.fields:
            return Entry("timestamp", self._record.time(), nullable=True)
        found = local(self._code, emit_value(self._code, call.fields["timestamp"], omit=True).text, "time")
        meaning = f"time of {found}"
        known = self._code.recall(meaning)
        if known is None:
            known = self._code.name("timestamp")
            time = f"{self._constant(time_of)}({found}, record)"
            write_converted(self._code, Kind.TIME, found, known, time)
            self._code.remember(meaning, known)
        return Entry("timestamp", known, nullable=True)

    def _message_id(self, call: CallRule, index: int, entries: list[Entry]) -> str:
        computed = [entry.text for entry in entries if call.event_from is not None and entry.key == "event"]
        if computed:
            by_record = self._record.message_id_by_name(call.spec.type, computed[0], index)
        else:
            by_record = self._record.message_id(call.spec.type, _static_name(call), index)
        if "messageId" not in call.fields:
            return by_record
        found = emit_value(self._code, call.fields["messageId"], omit=True).text
        check = (
            f"{self._constant(optional_identity)}({found}, 'messageId', {self._constant(self._reject_ids)})"
        )
        event_id = local(self._code, check, "event_id")
        name = computed[0] if computed else repr(_static_name(call))
        by_event = f"{self._constant(MessageIds.for_event)}({event_id}, {call.spec.type!r}, {name}, {index})"
        return f"{by_event} if {event_id} is not None else {by_record}"

    def _encode(self, call: str) -> str:
        body = self._code.name("body")
        with self._code.block("try:"):
            self._code.line(f"{body} = {self._constant(orjson.dumps)}({call})")
        with self._code.block("except TypeError as unencodable:"):
            self._code.line(f"{self._constant(refuse)}({call}, unencodable)")
        limit = self._target.max_call_bytes
        with self._code.block(f"if len({body}) > {limit}:"):
            self._code.line(f"{self._constant(refuse_size)}(len({body}), {limit})")
        return body

    def _constant(self, value: Any) -> str:
        return self._code.constant(value, getattr(value, "__name__", "constant"))


def is_plain(call: CallRule) -> bool:
    """Whether a call can be written out: each field that is given has one place, at the top."""
    if call.spec.event:
        return False
    given = [call.spec.fields[name] for name in call.fields]
    return all(len(field.places) == 1 for field in given if field.kind is not Kind.EVENT_ID)


def has_envelope(call: CallRule) -> bool:
    """Whether a call may have context or integrations."""
    into = {place[0] for name in call.fields for place in call.spec.fields[name].places}
    return not into.isdisjoint({"context", "integrations"})


def wanted_people(call: CallRule) -> frozenset[str]:
    """Of which of the ids that a rule names at least one must be found."""
    spec: CallSpec = call.spec
    wanted = PERSON_IDS if spec.person_must_be_found else spec.one_of
    return frozenset(wanted) & call.fields.keys()


def is_needed(call: CallRule, field: Field) -> bool:
    """Whether a record is rejected for this very id if it is not found; a group that is named always is needed."""
    return field.required or field.name == "groupId" or wanted_people(call) == {field.name}


def _static_name(call: CallRule) -> str:
    """The event name that ids are made of, where the rule says it; "" for a call that has none."""
    return call.spec.event or call.event or ""
