"""The dead-letter topic as the pipeline's source: letters that a replay takes, and marks in the place of commits.

Partitions, offsets and ends are the dead-letter topic's. What is below a committed offset and was handed on is
finished: delivered, ignored, or written again as a newer letter; it is marked. What was left alone is not.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from worker.adapters.kafka.timeouts import IDLE_SECONDS
from worker.dead_letters.offset_set import ranges
from worker.pipeline.ports import CommitFailed, Fetched, Start

if TYPE_CHECKING:
    from worker.adapters.dead_letter_topic.reader import DeadLetterReader, Survey
    from worker.adapters.dead_letter_topic.resolved_marks import ResolvedMarks
    from worker.adapters.kafka.scan import KafkaScan
    from worker.core.records import Partition, Record
    from worker.dead_letters.forecast import Admission
    from worker.pipeline.ports import Assignments
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

CHUNK = 500
"""Records of one fetch, at most: they are mapped while the loop waits."""

SESSION_SECONDS = 45.0
"""Letters are read without a group; this is as long as the session of a worker is by default."""

PATIENCE_SECONDS = 300.0
"""How long brokers may be away in the middle of a replay."""


class ReplayOutcome(Enum):
    """Why a letter is going to be marked."""

    SENT = auto()  # delivered, or written again
    IGNORED = auto()  # today's mapping makes nothing of it
    SUPERSEDED = auto()  # its record has a newer letter


class Step(NamedTuple):
    """What one fetch brought.

    Attributes:
        fetched: what the pipeline gets.
        pending: partition, offset and outcome of letters that are marked once everything below them is finished.
    """

    fetched: Fetched
    pending: list[tuple[int, int, ReplayOutcome]]


class ReplaySource:
    """Implements `ports.Source`.

    Args:
        reader: of the dead-letter topic.
        survey: what waits, and the ends to stop at.
        admission: decides what is handed on.
        marks: where resolved letters are marked.
        telemetry: told of commits.
        limit: how many letters are handed on at most; None: all.
        tell: told how many offsets are finished, of how many.

    Attributes:
        marked: how many letters were marked in this run, by outcome.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        reader: DeadLetterReader,
        survey: Survey,
        admission: Admission,
        marks: ResolvedMarks,
        telemetry: Telemetry,
        *,
        limit: int | None = None,
        tell: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._reader = reader
        self._survey = survey
        self._admission = admission
        self._marks = marks
        self._telemetry = telemetry
        self._limit = limit
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, "replay")
        self._fetching: asyncio.Future[Step] | None = None
        self._scan: KafkaScan | None = None
        self._assignments: Assignments | None = None
        self._pending: dict[int, deque[tuple[int, ReplayOutcome]]] = {
            number: deque() for number in survey.bounds
        }
        self._committed = {number: first for number, (first, _) in survey.bounds.items()}
        self.marked: Counter[ReplayOutcome] = Counter()

    async def open(self, assignments: Assignments) -> None:
        """See `ports.Source.open`. Every partition is ours: nobody shares a replay."""
        self._assignments = assignments
        self._scan = await self._in_thread(self._reader.scan, self._survey, PATIENCE_SECONDS)
        topic = self._reader.topic
        assignments.assigned(
            {(topic, number): Start(first, None, end) for number, (first, end) in self._survey.bounds.items()}
        )

    @property
    def is_complete(self) -> bool:
        """See `ports.Source.is_complete`."""
        return True

    async def fetch(self, limit: int) -> Fetched:
        """See `ports.Source.fetch`."""
        if self._fetching is None:
            if limit <= 0 or not self._at_work.left:
                await asyncio.sleep(IDLE_SECONDS)
                return Fetched()
            self._fetching = self._in_thread(self._fetch, min(limit, CHUNK))
        step = await asyncio.shield(self._fetching)
        self._fetching = None
        for number, offset, outcome in step.pending:
            self._pending[number].append((offset, outcome))
        return step.fetched

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        """Mark what was handed on and is finished. See `ports.Source.commit`."""
        if not offsets:
            return ()
        finished = {number: self._finished(number, upto) for (_, number), upto in offsets.items()}
        resolved = {number: list(ranges(each for each, _ in found)) for number, found in finished.items()}
        if any(resolved.values()):
            try:
                await self._marks.write(resolved)
            except CommitFailed as failure:
                self._telemetry.commit_failed(str(failure))
                raise
        for number, found in finished.items():
            for _ in found:
                self.marked[self._pending[number].popleft()[1]] += 1
        self._telemetry.offsets_committed(len(offsets))
        self._committed |= {number: upto for (_, number), upto in offsets.items()}
        self._tell(self._done(), self._at_work.total)
        return ()

    @property
    def session_timeout(self) -> float:
        """See `ports.Source.session_timeout`: sending stops when no mark could be written for this long."""
        return SESSION_SECONDS

    async def confirm(self) -> None:
        """See `ports.Source.confirm`: letters are read without a group."""

    async def close(self) -> None:
        """Mark what is finished by now."""
        if self._assignments is not None:
            partitions = [(self._reader.topic, number) for number in self._survey.bounds]
            finished = await self._assignments.revoked(partitions)
            with suppress(CommitFailed):  # told by now; the next replay sends again, under the same ids
                await self.commit(finished)
        self._thread.shutdown(wait=True)
        self._marks.close()

    @property
    def at_end(self) -> bool:
        """Whether everything was read that was to be read."""
        return self._scan is not None and not self._scan.left

    @property
    def _at_work(self) -> KafkaScan:
        assert self._scan is not None, "open() comes first"
        return self._scan

    def _finished(self, number: int, upto: int) -> list[tuple[int, ReplayOutcome]]:
        """What waits for its mark below an offset, in order."""
        found = []
        for each in self._pending[number]:
            if each[0] >= upto:
                break
            found.append(each)
        return found

    def _done(self) -> int:
        return sum(self._committed[number] - first for number, (first, _) in self._survey.bounds.items())

    def _in_thread(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(call, *arguments))

    # Everything below runs in the thread.

    def _fetch(self, limit: int) -> Step:
        topic = self._reader.topic
        piece = self._at_work.take(limit)
        step = Step(Fetched(), [])
        for record in piece.records:
            if self._is_enough():
                piece.positions = self._at_work.skip_the_rest()
                break
            self._take_in(record, step)
        step.fetched.positions = {(topic, number): at for number, at in piece.positions.items()}
        return step

    def _is_enough(self) -> bool:
        return self._limit is not None and self._admission.tally.selected >= self._limit

    def _take_in(self, record: Record, step: Step) -> None:
        admitted = self._admission.admit(record)
        if admitted is not None:
            step.fetched.records.append(admitted)
            outcome = ReplayOutcome.SENT if admitted.is_for_the_api else ReplayOutcome.IGNORED
        elif self._admission.is_superseded(record):
            outcome = ReplayOutcome.SUPERSEDED
        else:
            return
        step.pending.append((record.partition(), record.offset(), outcome))
