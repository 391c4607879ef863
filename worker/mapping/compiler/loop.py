"""A mapping file as one Python function: a run of records in, encoded calls out.

What is generated for a rule reads as one would write it by hand:

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
                rejected.append((record, located(fault, places, rule, index)))
        return ignored

There is no object for a record or a call, no chain of closures, no walk through a structure, and no call of a function
for a record: that is where the worker's speed comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from worker.core.faults import unexpected
from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import refuse_headers
from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
from worker.formats.formats import FORMATS
from worker.mapping.compiler.calls import CallCode, Target
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, fields_used, struct_type_of
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.values import EVENT, KAFKA
from worker.mapping.expressions.expression import Expression, ExpressionFailed
from worker.mapping.files.rules import CallRule, MappingFile, Rule
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappers.mapper_rule import MapperRule

Explainer = Callable[[Record], tuple[int | None, list[QueuedCall]]]
"""Answers the index of the rule that matched, None if none did, and the record's calls. Raises `Rejected`."""

OnSlow = Callable[[str, float], None]
"""Told of a mapper that took over a second, by its name, and how many seconds."""


def compile_mapping(
    file: MappingFile,
    target: Target,
    mappers: Mapping[str, Mapper],
    on_slow: OnSlow | None = None,
) -> Converter:
    """The converter of one topic.

    Args:
        file: the rules.
        target: the topic, and what its calls are made for.
        mappers: the functions that the rules name.
        on_slow: see `OnSlow`.
    """
    return _Compilation(file, target, mappers, on_slow).function("convert", explained=False)


def compile_explained(file: MappingFile, target: Target, mappers: Mapping[str, Mapper]) -> Explainer:
    """As `compile_mapping`, but for one record at a time, and what is answered says which rule matched."""
    convert = _Compilation(file, target, mappers, None).function("explain", explained=True)

    def explain(record: Record) -> tuple[int | None, list[QueuedCall]]:
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        matched: list[int] = []
        convert([record], calls, rejected, matched)
        for _, verdict in rejected:
            raise verdict
        return (matched[0] if matched else None), calls

    return explain


def mapping_source(file: MappingFile, target: Target, mappers: Mapping[str, Mapper]) -> str:
    """The Python source that `compile_mapping` compiles: one function for values, one for tombstones."""
    functions = _Compilation(file, target, mappers, None).functions("convert", explained=False)
    return "\n\n".join(function.source for function in functions)


class _Compilation:
    def __init__(
        self, file: MappingFile, target: Target, mappers: Mapping[str, Mapper], on_slow: OnSlow | None
    ) -> None:
        self._file = file
        self._target = target
        self._mappers = mappers
        self._on_slow = on_slow

    def function(self, name: str, *, explained: bool) -> Callable[..., Any]:
        """A `Converter`; if `explained`, one that has a fourth argument, and appends the matching rules' indexes."""
        return self.functions(name, explained=explained)[0].build()

    def functions(self, name: str, *, explained: bool) -> tuple[_Function, _Function]:
        """The function, and the one that it calls for tombstones."""
        on_tombstone = self._function(f"{name}_tombstone", explained=explained)
        on_tombstone.write(self._matching_tombstones(), tombstones=None)
        function = self._function(name, explained=explained)
        function.write(list(enumerate(self._file.rules)), tombstones=on_tombstone.build())
        return function, on_tombstone

    def _function(self, name: str, *, explained: bool) -> _Function:
        return _Function(self._file, self._target, self._rule_mapper, name, explained=explained)

    def _matching_tombstones(self) -> list[tuple[int, Rule]]:
        """A rule without `when` matches everything but tombstones."""
        return [(index, rule) for index, rule in enumerate(self._file.rules) if rule.when is not None]

    def _rule_mapper(self, rule: Rule) -> MapperRule:
        assert rule.mapper is not None
        mapper = self._mappers[rule.mapper]
        return MapperRule(mapper, rule.allow, self._file.reject_ids, self._target, self._on_slow)


class _Function:
    """One function under construction: the road from records to their calls."""

    def __init__(
        self,
        file: MappingFile,
        target: Target,
        mapper: Callable[[Rule], MapperRule],
        name: str,
        *,
        explained: bool,
    ) -> None:
        self._code = Code()
        self._name = name
        self._file = file
        self._target = target
        self._mapper = mapper
        self._explained = explained
        self._parameters = "records, calls, rejected" + (", matched" if explained else "")
        self._record = RecordCode(self._code, target.ids, target.topic)

    @property
    def place(self) -> str:
        """What tracebacks name as its file."""
        which = "" if self._name == "convert" else f", {self._name}"
        return f"<mapping {self._file.document.file} topic {self._target.topic}{which}>"

    @property
    def source(self) -> str:
        """What `build` compiles."""
        return self._code.source(self._name, self._parameters, file=self.place, bound=True)

    def build(self) -> Callable[..., Any]:
        return self._code.build(self._name, self._parameters, file=self.place, bound=True)

    def write(self, rules: list[tuple[int, Rule]], tombstones: Callable[..., Any] | None) -> None:
        """Write the whole body; without `tombstones` it is the one for records that have no value."""
        code = self._code
        code.line("ignored = 0")
        for line in RecordCode.BEGINNING:
            code.line(line)
        with code.block("for record in records:"):
            code.line("rule = index = None")
            with code.block("try:"):
                if tombstones is None:
                    code.line(f"{EVENT} = {{}}")
                else:
                    self._decode(tombstones)
                if all(self._rule(index, rule) for index, rule in rules):
                    self._unmatched()
            places = code.constant([rule.at for rule in self._file.rules], "places")
            verdict = f"{code.constant(located, 'located')}(fault, {places}, rule, index)"
            with code.block("except Exception as fault:"):
                code.line(f"rejected.append((record, {verdict}))")
        code.line("return ignored")

    def _decode(self, tombstones: Callable[..., Any]) -> None:
        code = self._code
        code.line("value = record.value()")
        with code.block("if value is None:"):
            arguments = self._parameters.replace("records", "(record,)")
            code.line(f"ignored += {code.constant(tombstones, 'tombstone')}({arguments})")
            code.line("continue")
        struct = struct_type_of(fields_used_by(self._file))
        if struct is not None:
            code.structs[EVENT] = struct
        FORMATS[self._file.format].emit(code, EVENT, struct.made if struct else None)

    def _rule(self, index: int, rule: Rule) -> bool:
        """Write one rule; False where what comes behind it can never be reached."""
        code = self._code
        code.line(f"rule = {index}")
        if rule.when is None:
            self._matched(rule, index)
            return False
        self._need_kafka([rule.when])
        with code.block(f"if {rule.when.emit_condition(code, EVENT, KAFKA)}:"):
            self._matched(rule, index)
        return True

    def _need_kafka(self, expressions: Collection[Expression]) -> None:
        """`_kafka` is made only on the way to what reads it; what needs headers that are unreadable is rejected."""
        code = self._code
        if not any(each.uses_kafka for each in expressions):
            return
        if code.recall("the record's fields") is None:
            code.line(f"{KAFKA} = {code.constant(kafka_fields, 'kafka_fields')}(record)")
            code.remember("the record's fields", KAFKA)
        if any(each.uses_headers for each in expressions) and code.recall("readable headers") is None:
            with code.block(f'if {KAFKA}["headers"] is None:'):
                code.line(f"{code.constant(refuse_headers, 'refuse_headers')}()")
            code.remember("readable headers", KAFKA)

    def _matched(self, rule: Rule, index: int) -> None:
        if self._explained:
            self._code.line(f"matched.append({index})")
        if rule.mapper is not None:
            self._mapped(rule)
        else:
            self._written(rule)
        self._code.line("continue")

    def _mapped(self, rule: Rule) -> None:
        """Calls of a Python mapper: it may answer none."""
        code = self._code
        code.line(f"made = {code.constant(self._mapper(rule), 'mapper')}.calls(record, {EVENT})")
        with code.block("if not made:"):
            code.line("ignored += 1")
            code.line("continue")
        key = self._record.key()
        with code.block("for index, (body, envelope) in enumerate(made):"):
            code.line(f"calls.append({_queued(key, 'body', 'index', 'envelope', rule)})")

    def _written(self, rule: Rule) -> None:
        """Calls that the rule describes, queued once all are encoded."""
        code = self._code
        self._need_kafka([each for call in rule.calls for each in _expressions(call)])
        writer = CallCode(code, self._file, rule, self._target, self._record)
        encoded = []
        for index, call in enumerate(rule.calls):
            code.line(f"index = {index}")
            encoded.append(writer.call(call, index))
        key = self._record.key()
        queued = [
            _queued(key, body, str(index), envelope, rule) for index, (body, envelope) in enumerate(encoded)
        ]
        # Appending is cheapest for one; several are put into a list first, so that all are queued or none.
        code.line(
            f"calls.append({queued[0]})" if len(queued) == 1 else f"calls.extend([{', '.join(queued)}])"
        )

    def _unmatched(self) -> None:
        if self._file.reject_unmatched:
            self._code.line("rule = None")
            self._code.line(f"{self._code.constant(refuse_unmatched, 'refuse_unmatched')}()")
        else:
            self._code.line("ignored += 1")


def _queued(key: str, body: str, index: str, envelope: str, rule: Rule) -> str:
    """A `QueuedCall` as Python, made of Python expressions."""
    return f'({key}, {body} + b",", record, {index}, {envelope}, {rule.at!r})'


def fields_used_by(file: MappingFile) -> FieldsUsed:
    """What a file's rules use of an event; everything where a mapper gets it."""
    used = FieldsUsed()
    for rule in file.rules:
        if rule.mapper is not None:
            return WHOLE
        if rule.when is not None:
            used.add(fields_used(rule.when.condition))
        for call in rule.calls:
            for expression in _expressions(call):
                used.add(fields_used(expression.value))
    return used


def _expressions(call: CallRule) -> Iterator[Expression]:
    """Every expression of a call, however deep."""
    values: list[Any] = [call.event_from, *call.fields.values()]
    while values:
        value = values.pop()
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, dict | list):
            values.extend(value.values() if isinstance(value, dict) else value)


def located(fault: Exception, places: list[str], rule: int | None, index: int | None) -> Rejected:
    """The rejection that a fault in a generated function is, with the rule and the call where it happened.

    It no longer knows how it came about: the frames that it would keep alive hold a whole run of records.
    """
    rejected = _verdict(fault)
    rejected.__traceback__ = rejected.__context__ = rejected.__cause__ = None
    if rule is not None and rejected.rule is None:
        rejected.rule = places[rule]
    if rejected.call_index is None and rejected.stage is not Stage.DECODE:
        rejected.call_index = index
    return rejected


def _verdict(fault: Exception) -> Rejected:
    if isinstance(fault, Rejected):
        return fault
    if isinstance(fault, ExpressionFailed):
        return Rejected(Stage.MAP, "EXPRESSION_FAILED", f"{fault}.")
    if isinstance(fault, RecursionError):
        return Rejected(Stage.MAP, "TOO_DEEP", "The event nests too deep for an expression.")
    return unexpected(fault)


def refuse_unmatched() -> None:
    """Refuse an event that no rule matches, where the file says `unmatched: dead_letter`.

    Raises:
        Rejected: `UNMATCHED`, always.
    """
    raise Rejected(Stage.MAP, "UNMATCHED", "No rule matches the event.")
