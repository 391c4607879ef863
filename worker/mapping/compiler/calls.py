"""A rule's calls as Python source: fields are found and checked one by one, put together, and encoded once.

Each field's value has a fast path for the usual case and the functions of `mapping.calls` behind it, the same that the
builders for Python mappers use. A field that goes deeper than the top level, such as a device's token, is put at its
places once the rest of the call is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from worker.core.message_id import MessageIds
from worker.core.records import MAX_CALLS_PER_RECORD
from worker.customerio.notices import Notice
from worker.customerio.profile_limits import LIMITED_IDS, MAX_EVENT_NAME_BYTES, MAX_ID_BYTES
from worker.customerio.reference import PERSON_IDS
from worker.customerio.semantic import check_semantic
from worker.mapping.calls.assembly import convert, put
from worker.mapping.calls.encoding import batch_context, refuse, refuse_size
from worker.mapping.calls.specs import CallSpec, Field, Kind
from worker.mapping.calls.validation import check_shared, identity, optional_identity
from worker.mapping.compiler.fast_paths import write_converted
from worker.mapping.compiler.meaning import MeaningCode
from worker.mapping.compiler.objects import ENVELOPE_ID, EVENT, Objects
from worker.mapping.compiler.packable import packs
from worker.mapping.compiler.packed import encode
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.run_time import (
    event_name,
    items_of,
    need_url,
    refuse_missing,
    refuse_too_many,
    time_of,
)
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import Options
from worker.mapping.compiler.values import Entry, emit_object, emit_value
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.ir import is_field
from worker.mapping.expressions.names import names_used
from worker.mapping.files.rules import CallRule, MappingFile, Rule


class CallCode:
    """Writes the calls of one rule into a function whose local `record` is the record."""

    def __init__(
        self, code: Code, file: MappingFile, rule: Rule, options: Options, record: RecordCode
    ) -> None:
        self._code = code
        self._constant = code.constant
        self._reject_ids = file.reject_ids
        self._rule = rule
        self._options = options
        self._record = record
        event = code.structs.get(EVENT)
        self._packs = event is not None and event.usual and packs(rule)
        self._meaning = MeaningCode(code, rule, options, packs=self._packs)

    @contextmanager
    def each_of(self, call: CallRule) -> Iterator[None]:
        """Write the loop of a call with `for_each`, or that one more call fits; what is written inside comes then."""
        code = self._code
        if call.for_each is None:
            with code.block(f"if place == {MAX_CALLS_PER_RECORD}:"):
                code.line(f"{self._constant(refuse_too_many)}()")
            yield
            return
        found, items = code.share(call.for_each.emit(code), "found"), code.name("items")
        plain = f"type({found}) is list and place + len({found}) <= {MAX_CALLS_PER_RECORD}"
        code.line(f"{items} = {found} if {plain} else {self._constant(items_of)}({found}, place)")
        item, index = code.name("item"), code.name("index")
        with code.block(f"if {items}:"):
            self._before_items(call)
            indexed = any("index" in names_used(each.node) for _, each in call.expressions())
            header = f"for {index}, {item} in enumerate({items}):" if indexed else f"for {item} in {items}:"
            with code.block(header):
                code.remember("$item", item)
                code.remember("$index", index)
                Objects(code).item_of(item, found)
                yield

    def _before_items(self, call: CallRule) -> None:
        """Write what is the same for all items: fields of the event, and the time."""
        for _, expression in call.expressions():
            if is_field(expression.value):
                self._code.share(expression.emit(self._code), "value")
        given = call.fields.get("timestamp")
        if "timestamp" not in call.fields or (isinstance(given, Expression) and is_field(given.value)):
            self._time(call)
        if call.event_from is None:
            self._record.beginning_of_ids(call.spec.type, call.spec.event or call.event or "")

    def call(self, call: CallRule, index: str) -> str:
        """Write one call; returns a Python expression for it as it is queued.

        `index` is a Python expression for its position among the record's calls.
        """
        body = self._body(call, index)
        encoded = self._encode(body)
        self._meaning.traits_limit(call, body, encoded)
        context = "b''"
        if self._options.batch_contexts and has_context(call):
            context = self._code.share(f"{self._constant(batch_context)}({body})", "context")
        return queued(self._record.key(), encoded, index, context, self._rule.at)

    def _body(self, call: CallRule, index: str) -> str:
        """Write the call as a dict; returns its local. Its keys are in the order of the call's spec."""
        spec = call.spec
        found = {
            name: self._field(call, field) for name, field in spec.fields.items() if is_sent(call, field)
        }
        self._check_found(call, found)
        message_id = Entry("messageId", self._message_id(call, index, found.get("event")))
        top = [Entry("type", repr(spec.type))]
        top += [Entry("event", repr(spec.event))] if spec.event else []
        top += [entry for name, entry in found.items() if is_at_top(spec.fields[name])]
        deep = [entry for name, entry in found.items() if not is_at_top(spec.fields[name])]
        if not deep and spec.fallback is None:
            with self._code.packing(packs=self._packs):
                body = emit_object(self._code, [*top, message_id], "call")
        else:
            body = emit_object(self._code, top, "call")
            self._complete(body, spec, found, deep)
            self._code.line(f"{body}['messageId'] = {message_id.text}")
        self._check_body(call, body, found)
        return body

    def _complete(self, body: str, spec: CallSpec, found: dict[str, Entry], deep: list[Entry]) -> None:
        """Write what is added to a call once its top level is there."""
        for entry in deep:
            with self._code.block(f"if {entry.text} is not None:"):
                for place in spec.fields[entry.key].places:
                    self._code.line(f"{self._constant(put)}({body}, {place!r}, {entry.text})")
        if spec.fallback is not None:
            source, text = spec.fallback
            people = [found[name].text for name in PERSON_IDS if name in found]
            stand_in = self._id_check(identity, found[source].text, "anonymousId") if source else repr(text)
            with self._code.block(f"if {' and '.join(f'{person} is None' for person in people) or True}:"):
                self._code.line(f"{body}['anonymousId'] = {stand_in}")

    # Fields

    def _field(self, call: CallRule, field: Field) -> Entry:
        """Find a field's value and convert it."""
        match field.kind:
            case Kind.EVENT:
                return self._event_name(call)
            case Kind.TIME:
                return self._time(call)
            case Kind.OBJECT:
                return self._object(field, call.fields[field.name])
            case Kind.IDENTITY:
                return self._identity(field, call.fields[field.name], needed=is_needed(call, field))
        found = self._found(call.fields[field.name])
        name = self._code.name(field.name)
        converted = f"{self._constant(convert)}({self._constant(field)}, {found})"
        write_converted(self._code, field.kind, found, name, converted)
        if field.required:
            self._refuse_if_none([name], "MISSING_FIELD", f"{call.spec.name} needs {field.name}.")
        return Entry(field.name, name, nullable=not field.required)

    def _found(self, given: Any) -> str:
        """A name for what a field's value finds."""
        return self._code.share(emit_value(self._code, given, omit=True), "value")

    def _object(self, field: Field, given: Any) -> Entry:
        # `nulls: send` is about properties and traits only.
        omit = field.name in {"context", "integrations"} or not self._rule.send_nulls
        with self._code.packing(packs=self._packs):
            found = emit_value(self._code, given, omit=omit)
        nullable = not isinstance(given, dict)
        if nullable:
            with self._code.block(f"if {found} is not None and type({found}) is not dict:"):
                self._code.line(f"{self._constant(convert)}({self._constant(field)}, {found})")
        return Entry(field.name, found, nullable=nullable)

    def _identity(self, field: Field, given: Any, *, needed: bool) -> Entry:
        # `reject_ids` is about the ids of people and groups, which are at the top level.
        reject_ids = self._reject_ids if is_at_top(field) else frozenset[str]()
        found = self._found(given)
        meaning = f"{field.name} of {found}"  # the calls of a rule are mostly about the same person
        known = self._code.recall(meaning) if needed else None
        if known is not None:
            return Entry(field.name, known)
        name = self._code.name(field.name)
        check = identity if needed else optional_identity
        converted = self._id_check(check, found, field.name, reject_ids)
        write_converted(self._code, field.kind, found, name, converted, reject_ids=reject_ids)
        if field.name in LIMITED_IDS:
            self._meaning.text_limit(name, MAX_ID_BYTES, Notice.ID_LENGTH, nullable=not needed)
        if needed:
            self._code.remember(meaning, name)
        return Entry(field.name, name, nullable=not needed)

    def _id_check(
        self, check: Callable[..., Any], found: str, name: str, reject_ids: frozenset[str] | None = None
    ) -> str:
        rejected = self._reject_ids if reject_ids is None else reject_ids
        return f"{self._constant(check)}({found}, {name!r}, {self._constant(rejected)})"

    def _event_name(self, call: CallRule) -> Entry:
        if call.event_from is None:
            if call.event is not None:
                self._meaning.literal_name_limit(call.event)
            return Entry("event", repr(call.event))
        check = f"{self._constant(event_name)}({self._found(call.event_from)})"
        name = self._code.share(check, "event_name")
        self._meaning.text_limit(name, MAX_EVENT_NAME_BYTES, Notice.EVENT_NAME_LENGTH)
        return Entry("event", name)

    def _time(self, call: CallRule) -> Entry:
        if "timestamp" not in call.fields:
            return Entry("timestamp", self._record.time(), nullable=True)
        found = self._found(call.fields["timestamp"])
        meaning = f"time of {found}"
        known = self._code.recall(meaning)
        if known is None:
            known = self._code.name("timestamp")
            time = f"{self._constant(time_of)}({found}, record)"
            write_converted(self._code, Kind.TIME, found, known, time)
            if self._options.future:
                self._meaning.time(known, self._record.latest())
            self._code.remember(meaning, known)
        return Entry("timestamp", known, nullable=True)

    # Checks that concern more than one field

    def _check_found(self, call: CallRule, found: dict[str, Entry]) -> None:
        """Refuse a call that has none of the ids of which it needs one, or a page with neither name nor URL."""
        spec, wanted = call.spec, sorted(wanted_people(call))
        people = [found[name] for name in wanted]
        if people and all(entry.nullable for entry in people):
            detail = f"{spec.name} needs {' or '.join(wanted)}: none was found."
            self._refuse_if_none([entry.text for entry in people], "MISSING_ID", detail)
        if spec.name_or_url:
            properties = found["properties"].text if "properties" in found else None
            with self._code.block(f"if {found['name'].text if 'name' in found else None} is None:"):
                self._code.line(f"{self._constant(need_url)}({spec.name!r}, {properties})")

    def _refuse_if_none(self, texts: list[str], reason: str, detail: str) -> None:
        with self._code.block(f"if {' is None and '.join(texts)} is None:"):
            self._code.line(f"{self._constant(refuse_missing)}({reason!r}, {detail!r})")

    def _check_body(self, call: CallRule, body: str, found: dict[str, Entry]) -> None:
        """Check what the values of several fields decide together, where this call can fail the check at all."""
        spec = call.spec
        if has_context(call):
            self._code.line(f"{self._constant(check_shared)}({body})")
        if spec.name == "track":
            self._meaning.track(call, body, found["properties"].text if "properties" in found else None)
        if spec.event:
            self._code.line(
                f"{self._constant(check_semantic)}({body}, {self._constant(frozenset({spec.name}))})"
            )
        if "traits" in found:
            self._meaning.traits(call, body, found["traits"].text)

    # Message id and bytes

    def _message_id(self, call: CallRule, index: str, event: Entry | None) -> str:
        """Return a Python expression for the id: from the event's own id where it has one, or the coordinates."""
        if "messageId" not in call.fields:
            return self._message_id_of_record(call, index, event)
        code = self._code
        event_id, message_id = self._event_id(call), code.name("message_id")
        make = MessageIds.for_event_bytes if "messageId" in call.of_envelope else MessageIds.for_event
        name = event.text if event is not None else repr(call.spec.event or "")
        with code.block(f"if {event_id} is not None:"):
            code.line(
                f"{message_id} = {self._constant(make)}({event_id}, {call.spec.type!r}, {name}, {index})"
            )
        with code.block("else:"):
            code.line(f"{message_id} = {self._message_id_of_record(call, index, event)}")
        return message_id

    def _message_id_of_record(self, call: CallRule, index: str, event: Entry | None) -> str:
        if call.event_from is not None and event is not None:
            return self._record.message_id_by_name(repr(call.spec.type), event.text, index)
        return self._record.message_id(call.spec.type, call.spec.event or call.event or "", index)

    def _event_id(self, call: CallRule) -> str:
        """A name for the event's own id; None where it has none."""
        if "messageId" in call.of_envelope:
            return ENVELOPE_ID
        found = self._found(call.fields["messageId"])
        event_id = self._code.name("event_id")
        check = self._id_check(optional_identity, found, "messageId")
        write_converted(self._code, Kind.IDENTITY, found, event_id, check, reject_ids=self._reject_ids)
        return event_id

    def _encode(self, call: str) -> str:
        body, limit = self._code.name("body"), self._options.max_call_bytes
        if self._packs:
            self._code.line(f"{body} = {self._constant(encode)}({call})")
        else:
            self._code.lines(f"""
                try:
                    {body} = {self._constant(orjson.dumps)}({call})
                except TypeError as unencodable:
                    {self._constant(refuse)}({call}, unencodable)
                """)
        self._code.lines(f"""
            if len({body}) > {limit}:
                {self._constant(refuse_size)}(len({body}), {limit})
            """)
        return body


def queued(key: str, body: str, index: str, context: str, at: str) -> str:
    """The Python for a `QueuedCall` of the rule at `file:line`."""
    return f'({key}, {body} + b",", record, {index}, {context}, {at!r})'


def is_sent(call: CallRule, field: Field) -> bool:
    """Whether a call may have a field: the rule gives it, or it is the event's name or time, which every call has."""
    if field.kind is Kind.EVENT_ID:
        return False  # only the message id is made from it
    if field.kind is Kind.TIME and call.leaves_time_out:
        return False
    return field.name in call.fields or field.kind in {Kind.EVENT, Kind.TIME}


def is_at_top(field: Field) -> bool:
    """Whether a field is sent under its own name at the call's top level, and nowhere else."""
    return field.places == ((field.name,),)


def has_context(call: CallRule) -> bool:
    """Whether a call may have `context` or `integrations`, which calls of one request share."""
    into = {place[0] for name in call.fields for place in call.spec.fields[name].places}
    return not into.isdisjoint({"context", "integrations"})


def wanted_people(call: CallRule) -> frozenset[str]:
    """The ids that a rule names of which at least one must be found."""
    wanted = PERSON_IDS if call.spec.person_must_be_found else call.spec.one_of
    return frozenset(wanted) & call.fields.keys()


def is_needed(call: CallRule, field: Field) -> bool:
    """Whether a record is rejected if this id is not found. A group that a rule names is always needed."""
    return field.required or field.name == "groupId" or wanted_people(call) == {field.name}
