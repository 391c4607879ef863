"""A mapping file as one Python function: a run of records in, encoded calls out.

The generated code looks like a function written by hand:

    def convert(records, calls, rejected):
        ignored = 0
        for record in records:
            rule = index = None
            try:
                value = record.value()
                ...
                event = decode(value)
                rule = 0
                type_1 = event.type
                if type_1 == "order.completed":
                    ...
                    calls.append((key, body_9 + b",", record, 0, b"", "config/mappings/orders.yaml:3"))
                    continue
                ignored += 1
            except Exception as fault:
                rejected.append((record, located(fault, record, rule, index)))
        return ignored

It creates no object per record or call, runs no closures, interprets nothing, and calls no function per record. That is
why the worker is fast (docs/decisions/0010-rules-compiled-to-python.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import refuse_headers
from worker.core.records import Converter
from worker.formats.formats import FORMATS
from worker.mapping.compiler.calls import CallCode
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, NamesUsed, fields_used, struct_type_of
from worker.mapping.compiler.envelopes.code import TOMBSTONE, OnIgnored, Used
from worker.mapping.compiler.envelopes.envelopes import CODES
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.compiler.places import Places
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.source import Code, Lets
from worker.mapping.compiler.target import Target
from worker.mapping.compiler.values import EVENT, KAFKA
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.interpreter import ENVELOPE
from worker.mapping.files.rules import CallRule, MappingFile, Rule
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappers.mapper_rule import MapperRule

OnSlow = Callable[[str, float], None]
"""Called when a mapper took over a second, with its name and the seconds."""

OnNoCall = Callable[[str], object]
"""Called when a record matched a rule that made no call of it, with the rule as `file:line`."""


def compile_mapping(  # noqa: PLR0913, PLR0917 - the callbacks are optional
    file: MappingFile,
    target: Target,
    mappers: Mapping[str, Mapper],
    on_slow: OnSlow | None = None,
    on_no_call: OnNoCall | None = None,
    on_ignored: OnIgnored | None = None,
) -> Converter:
    """Compile the converter of one topic.

    Args:
        file: the rules.
        target: the topic, and what its calls are made for.
        mappers: the functions that the rules name.
        on_slow: see `OnSlow`.
        on_no_call: see `OnNoCall`.
        on_ignored: see `OnIgnored`.
    """
    return _ConverterCode(file, target, mappers, on_slow, on_no_call, on_ignored).build()


def mapping_source(file: MappingFile, target: Target, mappers: Mapping[str, Mapper]) -> str:
    """Return the Python source that `compile_mapping` compiles."""
    return _ConverterCode(file, target, mappers).source()


class _ConverterCode:
    """Writes the function that converts a run of records."""

    def __init__(  # noqa: PLR0913, PLR0917 - as `compile_mapping`
        self,
        file: MappingFile,
        target: Target,
        mappers: Mapping[str, Mapper],
        on_slow: OnSlow | None = None,
        on_no_call: OnNoCall | None = None,
        on_ignored: OnIgnored | None = None,
    ) -> None:
        self._code = Code()
        self._file = file
        self._target = target
        self._mappers = mappers
        self._on_slow = on_slow
        self._on_no_call = on_no_call
        self._on_ignored = on_ignored
        self._decoding = Decoding.of(file)
        self._record = RecordCode(self._code, target.ids, target.topic)
        self._repeats = any(call.for_each is not None for rule in file.rules for call in rule.calls)
        self._signature = ("convert", "records, calls, rejected")
        # What tracebacks name as the file.
        self._place = f"<mapping {file.document.file} topic {target.topic}>"
        self._write()

    def source(self) -> str:
        return self._code.source(*self._signature, file=self._place, bound=True)

    def build(self) -> Converter:
        return self._code.build(*self._signature, file=self._place, bound=True)

    def _write(self) -> None:
        code = self._code
        code.line("ignored = 0")
        for line in RecordCode.BEGINNING:
            code.line(line)
        with code.block("for record in records:"):
            code.line("rule = index = place = None" if self._repeats else "rule = index = None")
            code.lets = Lets(code)
            with code.block("try:"):
                self._decode()
                self._tombstones_on_request()
                for index, rule in enumerate(self._file.rules):
                    self._rule(index, rule)
                self._unmatched()
            located = code.constant(Places(self._file).located)
            verdict = f"{located}(fault, record, rule, index{', place' if self._repeats else ''})"
            with code.block("except Exception as fault:"):
                code.line(f"rejected.append((record, {verdict}))")
        code.line("return ignored")

    def _decode(self) -> None:
        """To a dict or, where all rules together use only some fields, to a struct. A tombstone has no fields."""
        code = self._code
        used = fields_used_by(self._file)
        if self._file.envelope is not None:
            code.line("value = record.value()")
            writer = CODES[type(self._file.envelope)]
            writer(code, self._file, used, self._on_ignored).write()
            return
        struct = struct_type_of(used.event)
        if struct is not None:
            code.structs[EVENT] = struct
        code.line("value = record.value()")
        with code.block("if value is None:"):
            # A new dict for each tombstone: a mapper may change it. A struct is never changed.
            code.line(f"{EVENT} = {code.constant(struct.empty, 'empty') if struct else '{}'}")
        with code.block("else:"):
            FORMATS[self._file.format].emit(code, EVENT, struct.made if struct else None)

    def _tombstones_on_request(self) -> None:
        """Write the way of tombstones that only rules see which ask for them."""
        if self._file.envelope is None or not self._file.envelope.tombstones_on_request:
            return
        with self._code.block("if value is None:"):
            for index, rule in enumerate(self._file.rules):
                if rule.when is not None and rule.when.asks_for_tombstones:
                    self._rule(index, rule)
            self._ignore_tombstone()

    def _ignore_tombstone(self) -> None:
        if self._on_ignored is not None:
            self._code.line(f"{self._code.constant(self._on_ignored, 'on_ignored')}({TOMBSTONE!r})")
        self._code.line("ignored += 1")
        self._code.line("continue")

    def _rule(self, index: int, rule: Rule) -> None:
        # Before the condition: if that fails, the rejection names this rule.
        self._code.line(f"rule = {index}")
        if rule.when is None:
            condition = "value is not None"  # a tombstone needs a rule that asks for it
        else:
            self._need_kafka([rule.when])
            condition = rule.when.emit_condition(self._code, EVENT, KAFKA)
        with self._code.block(f"if {condition}:"):
            if rule.ignores:
                self._without_call(rule)
            elif rule.mapper is not None:
                self._mapped(rule, rule.mapper)
            elif any(call.for_each is not None for call in rule.calls):
                self._repeated(rule)
            else:
                self._written(rule)
            self._code.line("continue")

    def _need_kafka(self, expressions: Collection[Expression]) -> None:
        """Make `_kafka` where an expression is about to read it, since that costs more than most rules.

        A record whose headers are unreadable is rejected only where an expression needs them.
        """
        code = self._code
        if not any(each.uses_kafka for each in expressions):
            return
        if code.recall("the record's fields") is None:
            code.line(f"{KAFKA} = {code.constant(kafka_fields)}(record)")
            if self._file.envelope is not None:  # which may hold a null
                code.line(f"{KAFKA}['tombstone'] = value is None")
            code.remember("the record's fields", KAFKA)
        if self._file.key_format is not None:
            self._need_key(expressions)
        if any(each.uses_headers for each in expressions) and code.recall("readable headers") is None:
            with code.block(f'if {KAFKA}["headers"] is None:'):
                code.line(f"{code.constant(refuse_headers)}()")
            code.remember("readable headers", KAFKA)

    def _need_key(self, expressions: Collection[Expression]) -> None:
        """Decode the key where an expression is about to read it; a key that cannot be decoded rejects only there."""
        code = self._code
        if any(each.uses_key for each in expressions) and code.recall("decoded key") is None:
            code.line(f"{KAFKA}['key'] = {code.constant(self._decoding.key, 'key_of')}(record)")
            code.remember("decoded key", KAFKA)

    def _mapped(self, rule: Rule, name: str) -> None:
        """Write a rule whose calls a Python mapper makes; it may return none."""
        code = self._code
        mapper = MapperRule(
            self._mappers[name],
            rule.allow,
            self._file.reject_ids,
            self._target,
            self._decoding,
            self._on_slow,
            rule.at,
        )
        more = "" if self._file.envelope is None else f", {self._about()}, empty=value is None"
        code.line(f"made = {code.constant(mapper, 'mapper')}.calls(record, {EVENT}{more})")
        self._refuse_nothing(rule)
        key = self._record.key()
        with code.block("for index, (body, context) in enumerate(made):"):
            code.line(f"calls.append({_queued(key, 'body', 'index', 'context', rule)})")

    def _about(self) -> str:
        """A Python expression for what the envelope says of the event."""
        return ABOUT if self._file.envelope and self._file.envelope.root else "None"

    def _without_call(self, rule: Rule) -> None:
        """Write what happens to a record that a rule handles without a call."""
        if self._on_no_call:
            self._code.line(f"{self._code.constant(self._on_no_call, 'on_no_call')}({rule.at!r})")
        self._code.line("ignored += 1")

    def _refuse_nothing(self, rule: Rule) -> None:
        """Write the end of a record of which `made` holds no call."""
        with self._code.block("if not made:"):
            self._without_call(rule)
            self._code.line("continue")

    def _repeated(self, rule: Rule) -> None:
        """Write calls of which some are made for each item of a list. `place` counts all that the record becomes."""
        code = self._code
        self._need_kafka([each for call in rule.calls for _, each in call.expressions()])
        writer = CallCode(code, self._file, rule, self._target, self._record)
        writer.prepare(rule.calls)
        key = self._record.key()
        code.line("made, place = [], 0")
        for index, call in enumerate(rule.calls):
            code.line(f"index = {index}")
            with writer.items(call) if call.for_each is not None else writer.one_more():
                body, context = writer.call(call, "place")
                code.line(f"made.append({_queued(key, body, 'place', context, rule)})")
                code.line("place += 1")
        self._refuse_nothing(rule)
        code.line("calls.extend(made)")

    def _written(self, rule: Rule) -> None:
        """Write the calls that a rule describes. They are queued once all are encoded: all of a record or none."""
        code = self._code
        self._need_kafka([each for call in rule.calls for _, each in call.expressions()])
        writer = CallCode(code, self._file, rule, self._target, self._record)
        encoded = []
        for index, call in enumerate(rule.calls):
            code.line(f"index = {index}")
            encoded.append(writer.call(call, str(index)))
        key = self._record.key()
        queued = [
            _queued(key, body, str(index), context, rule) for index, (body, context) in enumerate(encoded)
        ]
        if len(queued) == 1:
            code.line(f"calls.append({queued[0]})")  # cheaper than `extend` with a list of one
        else:
            code.line(f"calls.extend([{', '.join(queued)}])")

    def _unmatched(self) -> None:
        if self._file.reject_unmatched:
            self._code.line("rule = None")
            self._code.line(f"{self._code.constant(refuse_unmatched)}()")
            return
        if self._on_ignored is not None and self._file.envelope is not None:
            with self._code.block("if value is None:"):
                self._code.line(f"{self._code.constant(self._on_ignored, 'on_ignored')}({TOMBSTONE!r})")
        self._code.line("ignored += 1")


def _queued(key: str, body: str, index: str, context: str, rule: Rule) -> str:
    """Return the Python for a `QueuedCall`."""
    return f'({key}, {body} + b",", record, {index}, {context}, {rule.at!r})'


def fields_used_by(file: MappingFile) -> Used:
    """Find which parts of an event and its envelope a file's rules use; all if a rule has a mapper."""
    used, names = FieldsUsed(), NamesUsed()
    for rule in file.rules:
        if rule.mapper is not None:
            return Used(WHOLE, WHOLE if file.envelope and file.envelope.root else FieldsUsed())
        if rule.when is not None:
            used.add(fields_used(rule.when.condition, names=names))
        for call in rule.calls:
            used.add(_used_by_call(call, names))
    used.add(names.of_event())
    return Used(used, used.fields.pop(ENVELOPE, FieldsUsed()))


def _used_by_call(call: CallRule, names: NamesUsed) -> FieldsUsed:
    used, names.item = FieldsUsed(), FieldsUsed()
    for path, expression in call.expressions():
        of_envelope = (
            path == ("messageId",) and "messageId" in call.of_envelope
        )  # which the envelope's code makes
        if path != ("for_each",) and not of_envelope:
            used.add(fields_used(expression.value, names=names))
    if call.for_each is not None:
        used.add(fields_used(call.for_each.value, FieldsUsed(items=names.item), names))
    return used


def refuse_unmatched() -> None:
    """Refuse an event that no rule matches, where the file says `unmatched: dead_letter`.

    Raises:
        Rejected: `UNMATCHED`, always.
    """
    raise Rejected(Stage.MAP, "UNMATCHED", "No rule matches the event.")
