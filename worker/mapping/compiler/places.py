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
from worker.mapping.files.rules import CallRule, MappingFile, Rule

_WORDS = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*")


class Places:
    """Names the place of each rejection of one mapping file's rules."""

    def __init__(self, file: MappingFile) -> None:
        self._file = file
        self._decoding = Decoding.of(file)

    def located(self, fault: Exception, record: Record, rule: int | None, index: int | None) -> Rejected:
        """The rejection that a fault in a generated function is, with the rule, call and field where it happened.

        Its traceback and cause are dropped: their frames would keep a whole run of records alive.
        """
        rejected = _verdict(fault)
        rejected.__traceback__ = rejected.__context__ = rejected.__cause__ = None
        if rejected.call_index is None and rejected.stage is not Stage.DECODE:
            rejected.call_index = index
        if rule is not None and rejected.rule is None:
            rejected.rule = self._file.rules[rule].at
            with suppress(Exception):  # a failure of this search must not replace the reason of the rejection
                self._name_place(rejected, record, self._file.rules[rule], index)
        return rejected

    def _name_place(self, rejected: Rejected, record: Record, rule: Rule, index: int | None) -> None:
        call = rule.calls[index] if rule.mapper is None and index is not None else None
        path = self._path(rejected, record, rule, call)
        document = self._file.document
        line, column = document.position(path)
        rejected.at = f"{document.file}:{line}:{column}"
        base = rule.path if call is None else call.path
        rejected.field = ".".join(map(str, path[len(base) :])) or None
        if rejected.field == "call":
            rejected.field = None
        names = [f"rule {rejected.rule}"]
        names += [call.spec.name] if call is not None else []
        names.append(f"{rejected.field} at {rejected.at}" if rejected.field else f"at {rejected.at}")
        rejected.detail = f"{rejected.detail.rstrip('.')} ({', '.join(names)})."

    def _path(self, rejected: Rejected, record: Record, rule: Rule, call: CallRule | None) -> Path:
        """The path of the value that was refused; of the call or rule where no value is known."""
        if rule.mapper is not None and not self._fails(rejected, rule, record):
            return (*rule.path, "mapper")
        if call is None:
            return (*rule.path, "when") if rule.when is not None else rule.path
        if rejected.reason == "EXPRESSION_FAILED":
            failing = self._failing(record, call)
            return (*call.path, *failing) if failing else (*call.path, "call")
        return (*call.path, *(_named(rejected.detail, call) or ("call",)))

    def _fails(self, rejected: Rejected, rule: Rule, record: Record) -> bool:
        """Whether the `when` of a mapper's rule is what failed."""
        return (
            rejected.reason == "EXPRESSION_FAILED"
            and rule.when is not None
            and self._raises(rule.when, record)
        )

    def _failing(self, record: Record, call: CallRule) -> Path | None:
        """The path of a call's first expression that fails."""
        found = (path for path, expression in call.expressions() if self._raises(expression, record))
        return next(found, None)

    def _raises(self, expression: Expression, record: Record) -> bool:
        decoded = self._decoding.decoded(record)
        try:
            expression.search(decoded.event, decoded.kafka)
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
