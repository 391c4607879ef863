"""Marks dead letters as resolved without sending them, or makes resolved ones wait again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.resolved_marks import ResolvedMarks
from worker.dead_letters.dead_letter import read_dead_letter
from worker.dead_letters.resolving import Resolving

if TYPE_CHECKING:
    from worker.adapters.dead_letter_topic.reader import DeadLetterReader, OnProgress
    from worker.core.records import Partition
    from worker.dead_letters.dead_letter import DeadLetter
    from worker.dead_letters.selection import Filters
    from worker.settings import Settings

Handle = tuple["Partition", int]
"""The position of a dead letter in its topic, or of its source record in another."""


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """What to mark.

    Attributes:
        handles: these dead letters; if there are none, `filters` select.
        filters: which dead letters; without any filter, all.
        undo: whether resolved ones are to wait again.
    """

    handles: Sequence[Handle]
    filters: Filters
    undo: bool = False


class NoSuchDeadLetterError(Exception):
    """There is no dead letter at a position; the message names it."""


def choose(reader: DeadLetterReader, request: ResolveRequest, on_progress: OnProgress) -> Resolving:
    """Find the dead letters to be marked. Changes nothing.

    Raises:
        NoSuchDeadLetterError: there is none at one of the handles.
        SourceFailed: the topic cannot be read.
    """
    survey = reader.survey(on_progress)
    named = [_find(reader, handle, on_progress) for handle in dict.fromkeys(request.handles)]
    filters = None if named else request.filters
    chosen = Resolving(survey.index, filters, named, undo=request.undo)
    for record in reader.records(survey, on_progress):
        letter = read_dead_letter(record, reader.cluster_id)
        if letter is not None:
            chosen.add(letter)
    return chosen


def _find(reader: DeadLetterReader, handle: Handle, on_progress: OnProgress) -> DeadLetter:
    letter = reader.find(*handle, on_progress)
    if letter is None:
        (topic, number), offset = handle
        raise NoSuchDeadLetterError(f"there is no dead letter at {topic}:{number}:{offset}")
    return letter


async def write_marks(settings: Settings, chosen: Resolving, who: str, note: str) -> None:
    """Write the marks. Raises `CommitFailed` if some were not acknowledged; then the command may be repeated."""
    marks = ResolvedMarks(settings.kafka)
    try:
        await marks.write(list(chosen.marks(who, note)))
    finally:
        marks.close()
