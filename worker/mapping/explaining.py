"""What a mapping makes of one record, and why, as the commands print it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from worker.core.reasons import Rejected
from worker.core.records import BODY, RULE, QueuedCall, Record, RejectedRecord
from worker.customerio import catalog
from worker.customerio.notices import MEANINGS, Notice, OnNotice
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.rules import MappingFile
from worker.mapping.mappers.loading import Mapper


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the current mapping makes of a record.

    Attributes:
        rule: the rule that matched, as `file:line`; None if none did.
        calls: the calls as they would be sent.
        ignored: why nothing is sent; None if calls are sent or the record is rejected.
        rejected: why the record can never be delivered; None if it can be.
        sizes: the exact bytes of each call.
        warnings: what the API accepts but is probably a mistake.
        unknown: why nothing of this is known: the record's schema could not be fetched; None if it is.
        traceback: of the exception that a Python mapper raised, with its message, which may quote the record; None if
            none did.
    """

    rule: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    ignored: str | None = None
    rejected: Rejected | None = None
    sizes: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    traceback: str | None = None
    unknown: str | None = None


class Explainer:
    """Explains the records of one topic. It runs the converter that a worker runs, and notes what it calls.

    Args:
        file: the topic's mapping file.
        mappers: the functions that its rules name.
        target_of: what the topic's records are converted for, with this function called for notices.
    """

    def __init__(
        self, file: MappingFile, mappers: Mapping[str, Mapper], target_of: Callable[[OnNotice], Target]
    ) -> None:
        self._file = file
        self._without_call: list[str] = []
        self._unseen: list[str] = []
        self._noticed: list[Notice] = []
        self._raised: list[BaseException] = []
        target = replace(
            target_of(lambda kind, _: self._noticed.append(Notice(kind))),
            on_no_call=self._without_call.append,
            on_ignored=self._unseen.append,
        )
        noting = {name: replace(each, on_error=self._raised.append) for name, each in mappers.items()}
        self._convert = compile_mapping(file, target, noting)

    def explain(self, record: Record) -> Explanation:
        """Explain what becomes of a record."""
        for noted in (self._without_call, self._unseen, self._noticed, self._raised):
            noted.clear()
        calls: list[QueuedCall] = []
        rejected: list[RejectedRecord] = []
        self._convert([record], calls, rejected)
        if rejected:
            ((_, verdict),) = rejected
            return Explanation(rule=verdict.rule, rejected=verdict, traceback=self._traceback())
        if self._without_call:
            rule = next(rule for rule in self._file.rules if rule.at == self._without_call[0])
            return Explanation(rule=rule.at, ignored=rule.without_call)
        if self._unseen:
            return Explanation(ignored=self._unseen[0])
        if not calls:
            return Explanation(ignored="tombstone" if record.value() is None else "no rule matched")
        return _explanation(calls, self._noticed)

    def _traceback(self) -> str | None:
        """Of the exception that a mapper raised, from the mapper's own first line on."""
        if not self._raised:
            return None
        error = self._raised.pop()
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        return "".join(traceback.format_exception(type(error), error, frames))


_OF_NO_CALL_ALONE = (Notice.FUTURE_TIME, Notice.RESERVED_TRAIT)
"""Notices that `catalog.warnings` does not repeat: it sees only the call that is sent."""


def _explanation(queued: list[QueuedCall], noticed: list[Notice]) -> Explanation:
    bodies = [each[BODY][:-1] for each in queued]  # without the comma
    calls = [orjson.loads(body) for body in bodies]
    return Explanation(
        rule=queued[0][RULE],
        calls=calls,
        sizes=[len(body) for body in bodies],
        warnings=[
            *(MEANINGS[kind] for kind in noticed if kind in _OF_NO_CALL_ALONE),
            *(
                f"call {index}: {warning}"
                for index, call in enumerate(calls)
                for warning in catalog.warnings(call)
            ),
        ],
    )
