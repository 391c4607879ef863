"""Where in a mapping file a rejection comes from: found when a record is rejected, so records that pass pay nothing."""

from __future__ import annotations

import re
from contextlib import suppress

from worker.core.faults import unexpected
from worker.core.reasons import Rejected, Stage
from worker.core.records import Record
from worker.documents.document import Path
from worker.mapping.decoding import Decoding
from worker.mapping.expressions.expression import Expression, ExpressionFailed
from worker.mapping.expressions.interpreter import Variables
from worker.mapping.files.rules import CallRule, MappingFile, Rule

_WORDS = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*")


class Places:
    """Names the place of each rejection of one mapping file's rules."""

    def __init__(self, file: MappingFile) -> None:
        self._file = file
        self._decoding = Decoding.of(file)

    def located(
        self, fault: Exception, record: Record, rule: int | None, index: int | None, place: int | None = None
    ) -> Rejected:
        """The rejection that a fault in a generated function is, with the rule, call and field where it happened.

        Its traceback and cause are dropped: their frames would keep a whole run of records alive.

        Args:
            fault: what was raised.
            record: the record.
            rule: the rule's position in the file.
            index: the call's position in the rule.
            place: the call's position among those of the record, where the rule has `for_each`.
        """
        rejected = _verdict(fault)
        rejected.__traceback__ = rejected.__context__ = rejected.__cause__ = None
        if rejected.call_index is None and rejected.stage is not Stage.DECODE:
            rejected.call_index = index if place is None else place
        if rule is not None and rejected.rule is None:
            rejected.rule = self._file.rules[rule].at
            with suppress(Exception):  # a failure of this search must not replace the reason of the rejection
                self._name_place(rejected, record, self._file.rules[rule], index)
        return rejected

    def _name_place(self, rejected: Rejected, record: Record, rule: Rule, index: int | None) -> None:
        call, in_call = self._refused(rejected, record, rule, index)
        if call is not None:
            path, rejected.field = call.at(in_call), ".".join(map(str, in_call))
        else:
            rejected.field = self._key(rejected, record, rule)
            path = (*rule.path, rejected.field) if rejected.field else rule.path
        document = self._file.document
        line, column = document.position(path)
        rejected.at = f"{document.file}:{line}:{column}"
        if rejected.field == "call":
            rejected.field = None
        names = [f"rule {rejected.rule}"]
        names += [call.spec.name] if call is not None else []
        names.append(f"{rejected.field} at {rejected.at}" if rejected.field else f"at {rejected.at}")
        rejected.detail = f"{rejected.detail.rstrip('.')} ({', '.join(names)})."

    def _refused(
        self, rejected: Rejected, record: Record, rule: Rule, index: int | None
    ) -> tuple[CallRule | None, Path]:
        """The call of the file that was refused, and the path of the value in it; None before or without a call."""
        if rule.mapper is not None or index is None:
            return _reader(rejected, rule) or (None, ())
        call = rule.calls[index]
        return call, self._in_call(rejected, record, call)

    def _key(self, rejected: Rejected, record: Record, rule: Rule) -> str | None:
        """The rule's key that a record was refused at, before or without a call of the file."""
        if rule.mapper is not None and not (
            _reads(rejected, rule.when) or self._fails(rejected, rule, record)
        ):
            return "mapper"
        return "when" if rule.when is not None else None

    def _in_call(self, rejected: Rejected, record: Record, call: CallRule) -> Path:
        """The path, in the call, of the value that was refused; of `call` where no value is known."""
        if rejected.reason == "EXPRESSION_FAILED":
            return self._failing(record, call) or ("call",)
        if rejected.reason == "TOO_MANY_CALLS" and call.for_each is not None:
            return ("for_each",)
        return _named(rejected.detail, call) or ("call",)

    def _fails(self, rejected: Rejected, rule: Rule, record: Record) -> bool:
        """Whether the `when` of a mapper's rule is what failed."""
        return (
            rejected.reason == "EXPRESSION_FAILED"
            and rule.when is not None
            and _raises(rule.when, self._values(record))
        )

    def _failing(self, record: Record, call: CallRule) -> Path | None:
        """The path of a call's first expression that fails; with `for_each`, for the first item that it fails for."""
        values = self._values(record)
        if call.for_each is None:
            return _first_failing(call, values)
        found = None if _raises(call.for_each, values) else call.for_each.evaluate(values)
        if not isinstance(found, list):
            return ("for_each",)
        failing = (_first_failing(call, values.of_item(item, index)) for index, item in enumerate(found))
        return next(filter(None, failing), None)

    def _values(self, record: Record) -> Variables:
        decoded = self._decoding.decoded(record)
        return Variables(decoded.event, decoded.kafka)


def _reader(rejected: Rejected, rule: Rule) -> tuple[CallRule, Path] | None:
    """The first expression of a rule's calls that reads what is unreadable; None if its `when` does, or nothing is."""
    if _reads(rejected, rule.when):
        return None
    found = (
        (call, path) for call in rule.calls for path, each in call.expressions() if _reads(rejected, each)
    )
    return next(found, None)


def _reads(rejected: Rejected, expression: Expression | None) -> bool:
    """Whether the record was rejected for a key or headers that cannot be decoded, and the expression reads them.

    A rule decodes them before its first expression that reads them; the value is decoded before any rule.
    """
    if expression is None:
        return False
    if rejected.reason == "UNREADABLE_HEADERS":
        return expression.uses_headers
    return rejected.stage is Stage.DECODE and expression.uses_key


def _first_failing(call: CallRule, values: Variables) -> Path | None:
    return next((path for path, each in call.expressions() if _raises(each, values)), None)


def _raises(expression: Expression, values: Variables) -> bool:
    try:
        expression.evaluate(values)
    except ExpressionFailed:
        return True
    return False


def _named(detail: str, call: CallRule) -> Path | None:
    """The path of the first of the call's fields that a detail names, as deep as the file gives it."""
    for word in _WORDS.findall(detail):
        steps = word.split(".")
        for start, step in enumerate(steps):
            if step == "event" and call.event_from is not None:
                return ("event_from",)
            if step in call.fields:
                return _as_deep(steps[start:], call)
    return None


def _as_deep(steps: list[str], call: CallRule) -> Path:
    path: list[str | int] = [steps[0]]
    value = call.fields[steps[0]]
    for step in steps[1:]:
        if not isinstance(value, dict) or step not in value:
            break
        path.append(step)
        value = value[step]
    return tuple(path)


def _verdict(fault: Exception) -> Rejected:
    if isinstance(fault, Rejected):
        return fault
    if isinstance(fault, ExpressionFailed):
        return Rejected(Stage.MAP, "EXPRESSION_FAILED", f"{fault}.")
    if isinstance(fault, RecursionError):
        return Rejected(Stage.MAP, "TOO_DEEP", "The event nests too deep for an expression.")
    return unexpected(fault)
