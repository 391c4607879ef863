"""A rule's part of a generated function: what happens to a record that it handles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from worker.core.record_reading import refuse_headers
from worker.mapping.compiler.calls import CallCode
from worker.mapping.compiler.envelopes.code import OnIgnored
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import Target
from worker.mapping.compiler.values import ENVELOPE_ID, EVENT, KAFKA
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import MappingFile, Rule
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappers.mapper_rule import MapperRule

OnSlow = Callable[[str, float], None]
"""Called when a mapper took over a second, with its name and the seconds."""

OnNoCall = Callable[[str], object]
"""Called when a record matched a rule that made no call of it, with the rule as `file:line`."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a converter is compiled from.

    Attributes:
        file: the rules.
        target: the topic, and what its calls are made for.
        mappers: the functions that the rules name.
        on_slow: see `OnSlow`.
        on_no_call: see `OnNoCall`.
        on_ignored: see `OnIgnored`.
    """

    file: MappingFile
    target: Target
    mappers: Mapping[str, Mapper]
    on_slow: OnSlow | None = None
    on_no_call: OnNoCall | None = None
    on_ignored: OnIgnored | None = None

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
        done: the statements that end a record's handling; for one that became calls, and for one that is ignored.
    """

    def __init__(
        self, code: Code, of: Compiled, record: RecordCode, done: tuple[tuple[str, ...], tuple[str, ...]]
    ) -> None:
        self._code = code
        self._of = of
        self._file = of.file
        self._record = record
        self._sent, self._ignored = done
        self._decoding = Decoding.of(of.file)

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
        self._end(self._sent)

    def _end(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            self._code.line(statement)

    def need_kafka(self, expressions: Collection[Expression]) -> None:
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
        if self._file.keys is not None:
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
        of = self._of
        mapper = MapperRule(
            of.mappers[name],
            rule.allow,
            self._file.reject_ids,
            of.target,
            self._decoding,
            of.on_slow,
            rule.at,
        )
        about = ABOUT if ABOUT in of.locals_of_envelope else "None"
        more = "" if self._file.envelope is None else f", {about}, empty=value is None"
        code.line(f"made = {code.constant(mapper, 'mapper')}.calls(record, {EVENT}{more})")
        self._refuse_nothing(rule)
        key = self._record.key()
        with code.block("for index, (body, context) in enumerate(made):"):
            code.line(f"calls.append({_queued(key, 'body', 'index', 'context', rule)})")

    def _without_call(self, rule: Rule) -> None:
        """Write what happens to a record that a rule handles without a call."""
        if self._of.on_no_call:
            self._code.line(f"{self._code.constant(self._of.on_no_call, 'on_no_call')}({rule.at!r})")
        self._end(self._ignored)

    def _refuse_nothing(self, rule: Rule) -> None:
        """Write the end of a record of which `made` holds no call."""
        with self._code.block("if not made:"):
            self._without_call(rule)

    def _repeated(self, rule: Rule) -> None:
        """Write calls of which some are made for each item of a list. `place` counts all that the record becomes."""
        code = self._code
        self.need_kafka([each for call in rule.calls for _, each in call.expressions()])
        writer = CallCode(code, self._file, rule, self._of.target, self._record)
        self._record.parts_of_ids()
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
        self.need_kafka([each for call in rule.calls for _, each in call.expressions()])
        writer = CallCode(code, self._file, rule, self._of.target, self._record)
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


def _queued(key: str, body: str, index: str, context: str, rule: Rule) -> str:
    """Return the Python for a `QueuedCall`."""
    return f'({key}, {body} + b",", record, {index}, {context}, {rule.at!r})'
