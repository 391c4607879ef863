"""The meaning of mapping rules, said slowly and plainly: what generated converters must equal byte for byte.

Expressions are run by the `jmespath` library, calls are put together by what the builders use, checked whole by what
checks a Python mapper's calls, and encoded at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.plain_assembly import plainly_assembled
from tests.support.records import run, sent
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected, Stage
from worker.core.records import MAX_CALLS_PER_RECORD, Converter, EncodedCall, Record
from worker.mapping.calls.assembly import as_time, checked
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.calls.validation import optional_identity
from worker.mapping.compiler.decoder import FieldsUsed, struct_type_of
from worker.mapping.compiler.loop import fields_used_by
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.expression import Expression, ExpressionFailed
from worker.mapping.expressions.interpreter import Variables
from worker.mapping.files.rules import CallRule, MappingFile, Rule, written_keys
from worker.mapping.kafka_fields import record_time

_ABSENT = object()


class ManyRejected(Exception):  # noqa: N818 - what a record is, not a fault of the program
    """All that is wrong with a call. A converter stops at the first fault that it meets, in an order of its own.

    Attributes:
        stages: of the faults.
    """

    def __init__(self, faults: list[Rejected]) -> None:
        super().__init__(", ".join(map(str, faults)))
        self.stages = {fault.stage for fault in faults}


def columns_read(file: MappingFile) -> frozenset[str] | None:
    """The fields of an event, or of a row, that rules read; None for all."""
    used = fields_used_by(file)
    row = FieldsUsed(whole=used.about.whole)
    row.add(used.event)
    for name in ("before", "after"):
        row.add(used.about.fields.get(name, FieldsUsed()))
    return frozenset(row.fields) if struct_type_of(row) is not None else None


class Reference:
    """Converts records by interpreting a mapping file. No mappers."""

    def __init__(self, file: MappingFile, ids: MessageIds) -> None:
        self._file = file
        self._ids = ids
        self._decoding = Decoding.of(file)
        self._columns = columns_read(file)
        self._key_fault: Rejected | None = None

    def outcome(self, record: Record) -> list[EncodedCall] | set[Stage]:
        """The calls; or the stages of all that is wrong with the record."""
        try:
            return self.convert(record)
        except ManyRejected as rejected:
            return rejected.stages
        except Rejected as rejected:
            return {rejected.stage}

    def check(self, convert: Converter, records: Sequence[Record]) -> None:
        """A converter makes of a run what this makes of its records, one by one."""
        calls, rejected, ignored = run(convert, records)
        for each in records:
            expected = self.outcome(each)
            if isinstance(expected, set):
                its, verdict = rejected.pop(0)
                assert its is each
                assert verdict.stage in expected
                continue
            its_calls, calls = calls[: len(expected)], calls[len(expected) :]
            assert sent(its_calls, each) == expected
            ignored -= not expected
        assert (calls, rejected, ignored) == ([], [], 0)

    def convert(self, record: Record) -> list[EncodedCall]:
        decoded = self._decoding.decoded(record, self._columns)
        if decoded.ignored is not None:
            return []
        seen, self._key_fault = Variables(decoded.event, decoded.kafka), decoded.key_fault
        on_request = self._file.envelope is not None and self._file.envelope.tombstones_on_request
        for rule in self._file.rules:
            if decoded.tombstone and on_request and not (rule.when and rule.when.asks_for_tombstones):
                continue
            if self._matches(rule, seen):
                return self._calls(rule, record, seen)
        if self._file.reject_unmatched and not (decoded.tombstone and on_request):
            raise Rejected(Stage.MAP, "UNMATCHED", "No rule matches the event.")
        return []

    def _calls(self, rule: Rule, record: Record, seen: Variables) -> list[EncodedCall]:
        made: list[EncodedCall] = []
        for call in rule.calls:
            for each in [seen] if call.for_each is None else self._items(call.for_each, seen):
                if len(made) == MAX_CALLS_PER_RECORD:
                    raise Rejected(Stage.MAP, "TOO_MANY_CALLS", "One call too many.")
                made.append(self._call(rule, call, len(made), record, each))
        return made

    def _items(self, for_each: Expression, seen: Variables) -> list[Variables]:
        found = self._search(for_each, seen)
        if not isinstance(found, list | None):
            raise Rejected(Stage.MAP, "EXPRESSION_FAILED", "No list.")
        return [seen.of_item(item, index) for index, item in enumerate(found or [])]

    def _matches(self, rule: Rule, seen: Variables) -> bool:
        if rule.when is None:
            return not seen.kafka["tombstone"]
        value = self._search(rule.when, seen)
        return not (value is None or value is False or value in ("", [], {}))

    def _call(
        self,
        rule: Rule,
        call: CallRule,
        index: int,
        record: Record,
        seen: Variables,
    ) -> EncodedCall:
        values: dict[str, Any] = {}
        faults: list[Rejected] = []
        for name, given in call.fields.items():
            send_nulls = rule.send_nulls and name in {"properties", "traits"}
            try:
                found = self._value(given, seen, send_nulls=send_nulls)
            except Rejected as fault:
                faults.append(fault)
                found = _ABSENT
            values[name] = None if found is _ABSENT else found
        try:
            encoded = self._encoded(call, values, index, record, seen)
        except Rejected as fault:
            faults.append(fault)
        if faults:
            raise ManyRejected(faults)
        return encoded

    def _encoded(
        self,
        call: CallRule,
        values: dict[str, Any],
        index: int,
        record: Record,
        seen: Variables,
    ) -> EncodedCall:
        if call.event_from is not None:
            values["event"] = self._search(call.event_from, seen)
        elif call.event is not None:
            values["event"] = call.event
        event_id = optional_identity(values.pop("messageId", None), "messageId", self._file.reject_ids)
        time = values.pop("timestamp", None)
        if not call.leaves_time_out:
            values["timestamp"] = record_time(record) if time is None else as_time(time)
        for name in ("userId", "anonymousId", "groupId", "previousId"):
            optional_identity(values.get(name), name, self._file.reject_ids)
        body, _ = plainly_assembled(call.spec, values)
        # What the rule writes itself needs no permission.
        written = written_keys(call.fields.get("properties")) or ()
        allow = {call.spec.name, *call.allow, *written}
        body = checked(body, allow=allow, reject_ids=self._file.reject_ids)
        named = call.fields.keys() & {"userId", "anonymousId"}
        if call.spec.person_must_be_found and named and not named & body.keys():
            raise Rejected(Stage.VALIDATE, "MISSING_ID", "The rule names a person who was not found.")
        if "groupId" in call.fields and "groupId" not in body:
            raise Rejected(Stage.VALIDATE, "MISSING_ID", "The rule names a group that was not found.")
        type_, name = body["type"], body.get("event", "")
        if event_id is None:
            _, millis = record.timestamp()
            place = (millis, record.topic(), record.partition(), record.offset())
            body["messageId"] = self._ids.for_record(*place, type_, name, index)
        else:
            body["messageId"] = self._ids.for_event(event_id, type_, name, index)
        return encode(body), batch_context(body)

    def _value(self, given: Any, seen: Variables, *, send_nulls: bool) -> Any:
        match given:
            case Expression():
                found = self._search(given, seen)
                return _ABSENT if found is None else found
            case dict():
                items = {key: self._value(item, seen, send_nulls=send_nulls) for key, item in given.items()}
                return {
                    key: None if item is _ABSENT else item
                    for key, item in items.items()
                    if send_nulls or item is not _ABSENT
                }
            case list():
                found = [self._value(item, seen, send_nulls=send_nulls) for item in given]
                return [None if item is _ABSENT else item for item in found]
        return given

    def _search(self, expression: Expression, seen: Variables) -> Any:
        if expression.uses_key and self._key_fault is not None:
            raise self._key_fault
        try:
            return expression.evaluate(seen)
        except ExpressionFailed:
            raise Rejected(Stage.MAP, "EXPRESSION_FAILED", "An expression failed.") from None
