"""The dead-letter topic as the pipeline's source. It fetches the selected dead letters, and marks them on commit.

Partitions and offsets are those of the dead-letter topic. A commit means that every selected dead letter below the
offset is finished (delivered, ignored, or written again as a newer dead letter), so these are marked as resolved. Dead
letters that were left alone are not marked.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from worker.adapters.kafka.timeouts import IDLE_SECONDS
from worker.dead_letters.marks import How, Mark
from worker.dead_letters.offset_set import ranges
from worker.pipeline.ports import CommitFailed, Fetched, Standing, Start

if TYPE_CHECKING:
    from worker.adapters.dead_letter_topic.reader import DeadLetterReader, Survey
    from worker.adapters.dead_letter_topic.resolved_marks import ResolvedMarks
    from worker.adapters.kafka.scan import KafkaScan
    from worker.core.records import Partition, Record
    from worker.dead_letters.forecast import Forecast
    from worker.pipeline.ports import Assignments
    from worker.telemetry.telemetry import Telemetry

T = TypeVar("T")

MAX_FETCH = 500
"""Records of one fetch. They are mapped during the fetch, in a thread, and the pipeline waits for all of them."""

SESSION_SECONDS = 45.0
"""The default session timeout of a worker. A replay joins no group, but has to stop sending after some limit."""

BROKER_TIMEOUT_SECONDS = 300.0
"""How long brokers may be unavailable during a replay before it ends: long enough for a rolling restart."""


class ReplayOutcome(Enum):
    """Why a dead letter will be marked as resolved."""

    SENT = How.SENT  # delivered, or written again
    IGNORED = How.IGNORED  # the current mapping ignores it
    REPLACED = How.REPLACED  # its source record has a newer dead letter


class Step(NamedTuple):
    """The result of one fetch.

    Attributes:
        fetched: the records for the pipeline.
        pending: partition, offset and outcome of dead letters to be marked once everything below them is finished.
    """

    fetched: Fetched
    pending: list[tuple[int, int, ReplayOutcome]]


class ReplaySource:
    """Implements `ports.Source`.

    Args:
        reader: of the dead-letter topic.
        survey: the state of each dead letter, and the end offsets to stop at.
        forecast: decides which dead letters are replayed.
        marks: writes marks.
        telemetry: notified of commits.
        who: the operator, named in marks.
        on_progress: called with the number of finished offsets and their total.

    Attributes:
        marked: how many dead letters were marked in this run, by outcome.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        reader: DeadLetterReader,
        survey: Survey,
        forecast: Forecast,
        marks: ResolvedMarks,
        telemetry: Telemetry,
        *,
        who: str = "",
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._reader = reader
        self._survey = survey
        self._forecast = forecast
        self._marks = marks
        self._telemetry = telemetry
        self._who = who
        self._on_progress = on_progress
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
        """See `ports.Source.open`. All partitions are assigned: a replay joins no group."""
        self._assignments = assignments
        self._scan = await self._in_thread(self._reader.scan, self._survey, BROKER_TIMEOUT_SECONDS)
        topic = self._reader.topic
        assignments.assigned(
            {(topic, number): Start(first, None, end) for number, (first, end) in self._survey.bounds.items()}
        )

    def standing(self) -> Standing:
        """See `ports.Source.standing`. A replay is no member of a group."""
        return Standing(None, math.inf, 0.0)

    @property
    def is_complete(self) -> bool:
        """See `ports.Source.is_complete`."""
        return True

    async def fetch(self, limit: int) -> Fetched:
        """See `ports.Source.fetch`."""
        if self._fetching is None:
            if limit <= 0 or not self._open_scan.left:
                await asyncio.sleep(IDLE_SECONDS)
                return Fetched()
            self._fetching = self._in_thread(self._fetch, min(limit, MAX_FETCH))
        # If this call is cancelled the thread goes on; the next call returns its records, so that none are skipped.
        step = await asyncio.shield(self._fetching)
        self._fetching = None
        for number, offset, outcome in step.pending:
            self._pending[number].append((offset, outcome))
        return step.fetched

    async def commit(self, offsets: Mapping[Partition, int]) -> Collection[Partition]:
        """Mark the selected dead letters below these offsets. See `ports.Source.commit`."""
        if not offsets:
            return ()
        finished = {number: self._finished(number, end) for (_, number), end in offsets.items()}
        marks = [mark for number, found in finished.items() for mark in self._marks_for(number, found)]
        # They stay pending until the marks are acknowledged: after a failure the next commit writes the marks again.
        if marks:
            try:
                await self._marks.write(marks)
            except CommitFailed as failure:
                self._telemetry.commit_failed(str(failure))
                raise
        for number, found in finished.items():
            for _ in found:
                self.marked[self._pending[number].popleft()[1]] += 1
        self._telemetry.offsets_committed(len(offsets))
        self._committed |= {number: end for (_, number), end in offsets.items()}
        self._on_progress(self._done(), self._open_scan.total)
        return ()

    @property
    def session_timeout(self) -> float:
        """See `ports.Source.session_timeout`: sending stops when no mark could be written for this long."""
        return SESSION_SECONDS

    async def confirm(self) -> None:
        """See `ports.Source.confirm`. Without a group there is no membership to lose."""

    async def close(self) -> None:
        """Mark what is finished, and stop."""
        if self._assignments is not None:
            partitions = [(self._reader.topic, number) for number in self._survey.bounds]
            finished = await self._assignments.revoked(partitions)
            # A failure is already logged; the next replay sends these again with the same ids.
            with suppress(CommitFailed):
                await self.commit(finished)
        self._thread.shutdown(wait=True)
        self._marks.close()

    @property
    def at_end(self) -> bool:
        """Whether the scan has reached its end."""
        return self._scan is not None and not self._scan.left

    @property
    def _open_scan(self) -> KafkaScan:
        assert self._scan is not None, "open() comes first"
        return self._scan

    def _finished(self, number: int, end: int) -> list[tuple[int, ReplayOutcome]]:
        """The pending dead letters of a partition below an offset, in order."""
        found = []
        for each in self._pending[number]:
            if each[0] >= end:
                break
            found.append(each)
        return found

    def _marks_for(self, number: int, finished: list[tuple[int, ReplayOutcome]]) -> Iterator[Mark]:
        """The marks for these dead letters of a partition: one for each outcome."""
        for outcome in ReplayOutcome:
            offsets = [offset for offset, each in finished if each is outcome]
            if offsets:
                yield Mark(number, list(ranges(offsets)), who=self._who, how=outcome.value)

    def _done(self) -> int:
        return sum(self._committed[number] - first for number, (first, _) in self._survey.bounds.items())

    def _in_thread(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(call, *arguments))

    # Everything below runs in the thread.

    def _fetch(self, limit: int) -> Step:
        topic = self._reader.topic
        read = self._open_scan.take(limit)
        step = Step(Fetched(), [])
        for record in read.records:
            if self._forecast.is_full:
                # The pipeline counts as caught up once it has committed the ends, so the positions jump there.
                read.positions = self._open_scan.skip_the_rest()
                break
            self._select(record, step)
        step.fetched.positions = {(topic, number): at for number, at in read.positions.items()}
        return step

    def _select(self, record: Record, step: Step) -> None:
        selected = self._forecast.select(record)
        if selected is not None:
            step.fetched.records.append(selected)
            outcome = ReplayOutcome.SENT if selected.is_for_the_api else ReplayOutcome.IGNORED
        elif self._forecast.is_replaced(record):
            # The newer dead letter replaces it, so it is marked as well.
            outcome = ReplayOutcome.REPLACED
        else:
            return
        step.pending.append((record.partition(), record.offset(), outcome))
