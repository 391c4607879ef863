"""A rule's part of a generated function: what happens to a record that it handles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from worker.core.record_reading import refuse_headers
from worker.mapping.compiler.calls import CallCode
from worker.mapping.compiler.mapper_calls import MapperCalls, MapperRule
from worker.mapping.compiler.objects import ABOUT, ENVELOPE_ID, EVENT, KAFKA
from worker.mapping.compiler.places import Places
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import ON_NO_CALL, ON_SLOW, Options
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import MappingFile, Rule
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.loading import Mapper


class Compiled:
    """What the converters of a file's topics are compiled from.

    Args:
        file: the rules.
        options: what the topics' records are converted for.
        mappers: the functions that the rules name.

    Attributes:
        decoding: decodes keys.
        places: names the places of rejections.
    """

    def __init__(self, file: MappingFile, options: Options, mappers: Mapping[str, Mapper]) -> None:
        self.file = file
        self.options = options
        self.mappers = mappers
        self.decoding = Decoding.of(file)
        self.places = Places(file)

    @property
    def locals_of_envelope(self) -> tuple[str, ...]:
        """The converter's locals that rules read beside the event where it has an envelope."""
        envelope = self.file.envelope
        if envelope is None:
            return ()
        about = (ABOUT,) if envelope.root else ()
        return ("value", *about, *((ENVELOPE_ID,) if "messageId" in envelope.defaults else ()))


class RuleCode:
    """Writes rules into a function that converts records.

    Args:
        code: the function under construction.
        of: what is compiled.
        record: writes what depends on the record alone.
        sent: the statement that ends the handling of a record that became calls, or is rejected.
        ignored: the statements that end it for one that did not.
    """

    def __init__(self, code: Code, of: Compiled, record: RecordCode, sent: str, ignored: str) -> None:
        self._code = code
        self._of = of
        self._file = of.file
        self._record = record
        self._sent = sent
        self._ignored = ignored

    @contextmanager
    def one_record(self) -> Iterator[None]:
        """Write the handling of one record; a fault in it rejects this record only."""
        code = self._code
        located = code.constant(self._of.places.located, "located")
        with code.record():
            # The rule, the call of it, and the call's place among all of the record's.
            code.line("rule = index = place = None")
            with code.block("try:"):
                yield
            with code.block("except Exception as fault:"):
                code.line(f"rejected.append((record, {located}(fault, record, rule, index, place)))")
                code.line(self._sent)

    def handle(self, rule: Rule) -> None:
        """Write what happens to a record that matches the rule."""
        if rule.ignores:
            self._without_call(rule)
            return
        if rule.mapper is not None:
            self._mapped(rule, rule.mapper)
        elif any(call.for_each is not None for call in rule.calls):
            self._repeated(rule)
        else:
            self._written(rule)
        self._code.line(self._sent)

    def need_kafka(self, expressions: Collection[Expression]) -> None:
        """Make `_kafka` where an expression is about to read it, since that costs more than most rules.

        A record whose key or headers cannot be decoded is rejected only where an expression reads them.
        """
        code = self._code
        if not any(each.uses_kafka for each in expressions):
            return
        if code.needs(KAFKA):
            code.line(f"{KAFKA} = {code.constant(kafka_fields)}(record)")
            if self._file.envelope is not None:  # which may hold a null
                code.line(f"{KAFKA}['tombstone'] = value is None")
        decodes_key = self._file.keys is not None and any(each.uses_key for each in expressions)
        if decodes_key and code.needs("decoded key"):
            code.line(f"{KAFKA}['key'] = {code.constant(self._of.decoding.key, 'key_of')}(record)")
        if any(each.uses_headers for each in expressions) and code.needs("readable headers"):
            with code.block(f'if {KAFKA}["headers"] is None:'):
                code.line(f"{code.constant(refuse_headers)}()")

    def _mapped(self, rule: Rule, name: str) -> None:
        """Write a rule whose calls a Python mapper makes; it may return none."""
        code, of = self._code, self._of
        key = self._record.key()
        parts = self._record.parts_for_mapper()
        parameters = ["record", key, "index", *of.locals_of_envelope, *parts]
        calls = MapperCalls(
            MapperRule(
                rule.at,
                rule.allow,
                self._file.reject_ids,
                of.options,
                of.decoding.defaults.get("timestamp"),
                self._record,
                parameters,
            )
        )
        finish = f"{code.own(calls.functions, 'finish')}[call.untouched](call, {', '.join(parameters)})"
        mapper, on_slow = code.constant(of.mappers[name].answer, "mapper"), code.own(ON_SLOW, "on_slow")
        code.line(f"answer = {mapper}({self._event()}, {on_slow})")
        with code.block("if type(answer) is not list:"):  # most return one call
            code.line("call, index = answer, 0")
            code.line(f"calls.append({finish})")
            code.line(self._sent)
        code.line("made = []")
        with code.block("for index, call in enumerate(answer):"):
            code.line(f"made.append({finish})")
        self._unless_made(rule)
        code.line("calls.extend(made)")

    def _event(self) -> str:
        """A Python expression for the `Event` of the record."""
        value, empty, of = EVENT, "False", self._of
        if self._file.envelope is not None:
            empty = "value is None"
            if self._file.envelope.root:
                value = f"{{**{EVENT}, {self._file.envelope.root!r}: {ABOUT}}} if {ABOUT} is not None else {EVENT}"
        key_of = self._code.constant(of.decoding.key, "key_of")
        return f"{self._code.constant(Event.of, 'event_of')}(record, {value}, {key_of}, {empty})"

    def _without_call(self, rule: Rule) -> None:
        """Write what happens to a record that a rule handles without a call."""
        if self._of.options.on_no_call:
            self._code.line(f"{self._code.own(ON_NO_CALL, 'on_no_call')}({rule.at!r})")
        self._code.lines(self._ignored)

    def _unless_made(self, rule: Rule) -> None:
        """Write the end of a record of which `made` holds no call."""
        with self._code.block("if not made:"):
            self._without_call(rule)

    def _repeated(self, rule: Rule) -> None:
        """Write calls of which some are made for each item of a list. `place` counts all that the record becomes."""
        code, writer = self._code, self._calls_of(rule)
        self._record.parts_of_ids()
        self._record.key()
        code.line("made, place = [], 0")
        for index, call in enumerate(rule.calls):
            code.line(f"index = {index}")
            with writer.each_of(call):
                code.line(f"made.append({writer.call(call, 'place')})")
                code.line("place += 1")
        self._unless_made(rule)
        code.line("calls.extend(made)")

    def _written(self, rule: Rule) -> None:
        """Write the calls that a rule describes. They are queued once all are encoded: all of a record or none."""
        code, writer = self._code, self._calls_of(rule)
        made = []
        for index, call in enumerate(rule.calls):
            code.line(f"index = {index}")
            made.append(writer.call(call, str(index)))
        if len(made) == 1:
            code.line(f"calls.append({made[0]})")  # cheaper than `extend` with a list of one
        else:
            code.line(f"calls.extend([{', '.join(made)}])")

    def _calls_of(self, rule: Rule) -> CallCode:
        self.need_kafka([each for call in rule.calls for _, each in call.expressions()])
        return CallCode(self._code, self._file, rule, self._of.options, self._record)
