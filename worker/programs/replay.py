"""A replay put together: the worker's own pipeline, with the dead-letter topic as its source.

Same lanes, batches, limits and verdicts as in `app`; what differs:

- the source is `ReplaySource`: it stops at the end that the topic had, and marks letters instead of committing;
- a letter that fails again is written with its history;
- the storm breaker is off: a replay is watched, `--limit` is there to try, and what fails stays a dead letter.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.replay_source import ReplayOutcome, ReplaySource
from worker.adapters.dead_letter_topic.resolved_marks import ResolvedMarks
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic, NotAnsweredError
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.dead_letters.forecast import Admission, ReplayedLetter, Tally
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import SourceFailed
from worker.programs.run import drain_on_signals
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.dead_letter_topic.reader import DeadLetterReader, Survey, Tell
    from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
    from worker.dead_letters.forecast import OnSlow
    from worker.dead_letters.selection import Selection
    from worker.documents.problems import Problem
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay has done.

    Attributes:
        tally: what was decided of each letter.
        delivered: letters whose calls the API has all accepted, and that are marked.
        ignored: letters that today's mapping ignores, and that are marked.
        failed_again: new dead letters, by reason.
        left_over: letters that were taken and are not marked: the next replay sends them again.
        problems: why it ended early, as `/readyz` has it.
        finished: whether everything that was taken was finished.
        interrupted: whether it was stopped before everything was taken.
    """

    tally: Tally = field(default_factory=Tally)
    delivered: int = 0
    ignored: int = 0
    failed_again: dict[str, int] = field(default_factory=dict)
    left_over: int = 0
    problems: tuple[str, ...] = ()
    finished: bool = False
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be replayed.

    Attributes:
        reader: of the dead-letter topic.
        survey: what waits in it.
        selection: what is wanted of that.
        mappings: today's.
        limit: how many letters are taken at most; None: all.
        tell: told of the progress, in offsets.
    """

    reader: DeadLetterReader
    survey: Survey
    selection: Selection
    mappings: Mappings
    limit: int | None
    tell: Tell

    def admission(self, on_slow: OnSlow | None = None) -> Admission:
        """Decides of each letter."""
        return Admission(self.survey.index, self.selection, self.mappings, self.reader.cluster_id, on_slow)


def dry_run(job: Job) -> Tally:
    """What a replay would do. Sends nothing, writes nothing, joins no group. Raises `SourceFailed`."""
    admission = job.admission()
    for record in job.reader.records(job.survey, job.tell):
        if job.limit is not None and admission.tally.selected >= job.limit:
            break
        admission.admit(record)
    return admission.tally


async def replay(settings: Settings, job: Job) -> Replayed:
    """Send selected letters through the mapping to the API, until the end or a signal.

    Raises:
        SourceFailed: the dead-letter topic cannot be read or written.
    """
    telemetry = Telemetry(settings.telemetry)
    letters = DeadLetterTopic(settings.kafka, telemetry, replaying=True)
    letters.cluster_id = job.reader.cluster_id
    api = PipelinesApi(settings.pipelines, telemetry)
    admission = job.admission(telemetry.mapper_was_slow)
    marks = ResolvedMarks(settings.kafka)
    source = ReplaySource(job.reader, job.survey, admission, marks, telemetry, limit=job.limit, tell=job.tell)
    pipeline_settings = _without_storms(settings)
    pipeline = Pipeline(source, api, letters, _converter, pipeline_settings, telemetry)
    telemetry.observe(pipeline.observation)
    try:
        for problem in await _problems(letters):
            if not problem.warning:
                raise SourceFailed(str(problem))
        finished = await _until_the_end(pipeline)
    finally:
        await api.close()
        await letters.close()
        await asyncio.to_thread(telemetry.shutdown)
    problems = tuple(f"{each['reason']}: {each['detail']}" for each in pipeline.problems())
    failed_again = dict(telemetry.totals().dead_letters)
    done = _summary(admission.tally, source.marked, failed_again, problems, finished=finished)
    return replace(done, interrupted=not source.at_end)


async def _problems(letters: DeadLetterTopic) -> list[Problem]:
    try:
        return await letters.check([])
    except NotAnsweredError as error:
        raise SourceFailed(f"the dead-letter topic could not be checked: {error}") from None


async def _until_the_end(pipeline: Pipeline) -> bool:
    working = asyncio.create_task(pipeline.run(until_caught_up=True))
    with drain_on_signals(pipeline, working):
        try:
            return await working
        except asyncio.CancelledError:
            return False


async def _converter(_topic: str) -> Converter:
    return replayed


def replayed(records: Sequence[Record], calls: list[QueuedCall], rejected: list[RejectedRecord]) -> int:
    """The pipeline's `Converter`: the mapping was applied when the letters were taken."""
    ignored = 0
    for letter in records:
        assert isinstance(letter, ReplayedLetter)
        if letter.verdict is not None:
            rejected.append((letter, letter.verdict))
        calls.extend(letter.calls())
        ignored += not letter.is_for_the_api
    return ignored


def _without_storms(settings: Settings) -> Settings:
    never = {"halt_after_consecutive": sys.maxsize, "halt_above_ratio": 1.0}
    return settings.model_copy(update={"dead_letters": settings.dead_letters.model_copy(update=never)})


def _summary(
    tally: Tally,
    marked: Counter[ReplayOutcome],
    failed_again: dict[str, int],
    problems: tuple[str, ...],
    *,
    finished: bool,
) -> Replayed:
    left_over = tally.selected - marked[ReplayOutcome.SENT] - marked[ReplayOutcome.IGNORED]
    return Replayed(
        tally=tally,
        delivered=max(0, marked[ReplayOutcome.SENT] - sum(failed_again.values())),
        ignored=marked[ReplayOutcome.IGNORED],
        failed_again=failed_again,
        left_over=left_over,
        problems=problems,
        finished=finished and not left_over,
    )
