"""A mapping file as one Python function for each topic: a run of records in, encoded calls out.

Two functions are generated from a file: one for usual events (see `decoder`), and one for any, which gets the records
that the first cannot decode. They look like a function written by hand (shortened):

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

Conditions, fields, checks and encoding are inline. What it calls for a usual record are methods of the client's record
and decoders and encoders written in C, and what it creates is the event and each call's body and tuple. That is why the
worker is fast (docs/decisions/0010-rules-compiled-to-python.md).

A file is compiled once, whatever the number of its topics: they share the code, struct types, decoders, tables and all
other constants. What belongs to one topic is in closure variables (`PythonSource.own`): parts of its `Target`, and
what is kept from one record to the next, such as `Middles`, `Others`, `FutureTimes` and `Payloads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

from worker.core.records import Converter
from worker.formats.json_format import JsonFormat
from worker.mapping.compiler.decoder import (
    WHOLE,
    FieldsUsed,
    NamesUsed,
    StructType,
    fields_used,
    struct_type_of,
)
from worker.mapping.compiler.envelopes.code import TOMBSTONE, Used
from worker.mapping.compiler.envelopes.envelopes import CODES
from worker.mapping.compiler.look_up import LookUp
from worker.mapping.compiler.objects import EVENT
from worker.mapping.compiler.others import Others
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.rule import Compiled, RuleCode
from worker.mapping.compiler.run_time import refuse_unmatched
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import ON_IGNORED, Options, Target
from worker.mapping.expressions.interpreter import ENVELOPE
from worker.mapping.files.rules import CallRule, MappingFile, Rule
from worker.mapping.mappers.loading import Mapper

_PARAMETERS = "records, calls, rejected"

MOST_RULES_TWICE = 100
"""How many rules a file may have to be compiled twice: for usual events, and for others when the first of them arrives.
That takes 1 ms a rule, in which nothing else is mapped."""


MakeConverter = Callable[[Target], Converter]
"""Makes the converter of one topic from code that is compiled already."""


class CompiledMapping:
    """A mapping file that is compiled once, when the first of its topics needs a converter. For use by any thread.

    Args: see `Compiled`.
    """

    def __init__(self, file: MappingFile, options: Options, mappers: Mapping[str, Mapper]) -> None:
        self._of = Compiled(file, options, mappers)
        self._usual = _usual_event(file)
        self._compiling = Lock()
        self._make: MakeConverter | None = None
        self._make_of_others: MakeConverter | None = None

    def converter(self, target: Target) -> Converter:
        """The converter of one topic; `target.options` must be those that the file is compiled for."""
        with self._compiling:
            if self._make is None:
                self._make = self._code().factory()
        return self._make(target)

    def source(self) -> str:
        """The Python source that is compiled."""
        others = [_ConverterCode(self._of)] if self._usual else []
        return "\n\n".join(each.source() for each in [self._code(), *others])

    def _code(self) -> _ConverterCode:
        return _ConverterCode(self._of, self._usual, self._others if self._usual else None)

    def _others(self, target: Target) -> Others:
        def build() -> Converter:
            # Without the lock, as records are being mapped: at worst, two threads compile it.
            if self._make_of_others is None:
                self._make_of_others = _ConverterCode(self._of).factory()
            return self._make_of_others(target)

        return Others(build)


def compile_mapping(file: MappingFile, target: Target, mappers: Mapping[str, Mapper]) -> Converter:
    """Compile the converter of one topic alone. See `Compiled`."""
    return CompiledMapping(file, target.options, mappers).converter(target)


def _usual_event(file: MappingFile) -> StructType | None:
    """The struct type of usual events, where there is a function for these."""
    if file.envelope or not isinstance(file.values, JsonFormat) or len(file.rules) > MOST_RULES_TWICE:
        return None
    return struct_type_of(fields_used_by(file).event, usual=True)


class _ConverterCode:
    """Writes the function that converts a run of records, and the functions of rules that it looks up.

    Args:
        of: what is compiled.
        usual: the struct type of usual events, if it is the function for these.
        others: then what makes a topic's `Others`, which convert all other events.
    """

    def __init__(
        self,
        of: Compiled,
        usual: StructType | None = None,
        others: Callable[[Target], Others] | None = None,
    ) -> None:
        self._code = Code()
        self._of = of
        self._usual = usual
        self._others = others
        self._file = of.file
        self._record = RecordCode(self._code, of.options)
        self._rules = RuleCode(
            self._code, of, self._record, sent="continue", ignored="ignored += 1\ncontinue"
        )
        # What tracebacks name as the file.
        other = ", other events" if usual is None and _usual_event(of.file) else ""
        self._place = f"<mapping {of.file.document.file}{other}>"
        self._looked_up = LookUp.of(of, self._place)
        self._write()

    def source(self) -> str:
        whole = self._code.source("convert", _PARAMETERS, self._place)
        return "\n\n".join([whole, *(self._looked_up.sources() if self._looked_up else ())])

    def factory(self) -> MakeConverter:
        if self._looked_up is not None:
            self._looked_up.compile()
        return self._code.factory("convert", _PARAMETERS, self._place)

    def _write(self) -> None:
        code = self._code
        others = code.own(self._others, "others") if self._others else ""
        if others:
            with code.block(f"if {others}.prevail():"):
                code.line(f"return {others}.convert({_PARAMETERS})")
        code.line("ignored = 0")
        code.lines(RecordCode.BEGINNING)
        with code.block("for record in records:"), self._rules.one_record():
            self._decode(others)
            self._tombstones_on_request()
            for index, rule in enumerate(self._file.rules):
                if self._looked_up is None or index not in self._looked_up.asked:
                    self._rule(index, rule)
                else:
                    self._looked_up.write(index, code, self._rules, self._record)
            self._unmatched()
        code.line("return ignored")

    def _decode(self, others: str) -> None:
        """To a dict or, where all rules together use only some fields, to a struct. A tombstone has no fields."""
        code = self._code
        used = fields_used_by(self._file)
        code.line("value = record.value()")
        if self._file.envelope is not None:
            CODES[type(self._file.envelope)](code, self._file, used, self._ignore).write()
            return
        struct = self._usual or struct_type_of(used.event)
        if struct is not None:
            code.structs[EVENT] = struct
        with code.block("if value is None:"):
            # A new dict for each tombstone: a mapper may change it. A struct is never changed.
            code.line(f"{EVENT} = {code.constant(struct.empty, 'empty') if struct else '{}'}")
        with code.block("else:"):
            self._file.values.emit(
                code, EVENT, struct.made if struct else None, otherwise="None" if others else None
            )
        if others:
            with code.block(f"if {EVENT} is None:"):
                code.line(f"ignored += {others}.convert_one(record, calls, rejected)")
                code.line("continue")

    def _tombstones_on_request(self) -> None:
        """Write what happens to tombstones where they reach only those rules that ask for them."""
        if self._file.envelope is None or not self._file.envelope.tombstones_on_request:
            return
        with self._code.block("if value is None:"):
            for index, rule in enumerate(self._file.rules):
                if rule.when is not None and rule.when.asks_for_tombstones:
                    self._rule(index, rule)
            self._ignore(repr(TOMBSTONE))

    def _ignore(self, word: str) -> None:
        """Write the end of a record that no rule sees; `word` is a Python expression for why."""
        self._notice_ignored(word)
        self._code.line("ignored += 1")
        self._code.line("continue")

    def _notice_ignored(self, word: str) -> None:
        if self._of.options.on_ignored:
            self._code.line(f"{self._code.own(ON_IGNORED, 'on_ignored')}({word})")

    def _rule(self, index: int, rule: Rule) -> None:
        # Before the condition: if that fails, the rejection names this rule.
        self._code.line(f"rule = {index}")
        if rule.when is None:
            condition = "value is not None"  # a tombstone needs a rule that asks for it
        else:
            self._rules.need_kafka([rule.when])
            condition = rule.when.emit_condition(self._code)
        with self._code.block(f"if {condition}:"):
            self._rules.handle(rule)

    def _unmatched(self) -> None:
        if self._file.reject_unmatched:
            self._code.line("rule = None")
            self._code.line(f"{self._code.constant(refuse_unmatched)}()")
            return
        if self._file.envelope is not None:
            with self._code.block("if value is None:"):
                self._notice_ignored(repr(TOMBSTONE))
        self._code.line("ignored += 1")


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
        of_envelope = path == ("messageId",) and "messageId" in call.of_envelope  # its code makes it
        if path != ("for_each",) and not of_envelope:
            used.add(fields_used(expression.value, names=names))
    if call.for_each is not None:
        used.add(fields_used(call.for_each.value, FieldsUsed(items=names.item), names))
    return used
