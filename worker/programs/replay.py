"""The replay of dead letters: the worker's own pipeline, with the dead-letter topic as its source.

Lanes, batches, limits and retries are those of `run`. The differences:

- The source is `ReplaySource`: it stops at the end offsets of its start, and marks dead letters instead of committing.
- A dead letter that fails again is written with its history.
- The storm breaker is off: an operator watches a replay and can try it with `--limit`, and failures stay dead letters.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.replay_source import ReplayOutcome, ReplaySource
from worker.adapters.dead_letter_topic.resolved_marks import ResolvedMarks
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic, TopicUnknownError
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.dead_letters.forecast import Forecast, ReplayedDeadLetter, Tally
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import SourceFailed
from worker.programs.signals import drain_on_signals
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.dead_letter_topic.reader import DeadLetterReader, OnProgress, Survey
    from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
    from worker.customerio.notices import OnNotice
    from worker.dead_letters.forecast import OnSlow
    from worker.dead_letters.selection import Selection
    from worker.documents.problems import Problem
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay.

    Attributes:
        tally: the decisions on all dead letters.
        delivered: dead letters whose calls the API has all accepted, and that are marked.
        ignored: dead letters that the current mapping ignores, and that are marked.
        failed_again: new dead letters, by reason.
        left_over: dead letters that were selected but not marked; the next replay sends them again.
        problems: why it ended early, in the words of `/readyz`.
        finished: whether everything that was selected is finished.
        interrupted: whether it was stopped before the end of the topic.
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
    """What to replay.

    Attributes:
        reader: of the dead-letter topic.
        survey: the state of each dead letter.
        selection: which of the waiting ones to replay.
        mappings: the current mappings.
        on_progress: called with the progress, in offsets.
        who: the operator, named in marks.
    """

    reader: DeadLetterReader
    survey: Survey
    selection: Selection
    mappings: Mappings
    on_progress: OnProgress
    who: str = ""

    def forecast(self, on_slow: OnSlow | None = None, on_notice: OnNotice | None = None) -> Forecast:
        """A new forecast, which decides on each dead letter."""
        return Forecast(
            self.survey.index,
            self.selection,
            self.mappings,
            self.reader.cluster_id,
            on_slow=on_slow,
            on_notice=on_notice,
        )


def dry_run(job: Job) -> Tally:
    """What a replay would do, and what that does at Customer.io (`Tally.remarks`).

    Sends and writes nothing, joins no group. Also reads the source topics of profile updates, for later records of the
    same keys. Raises `SourceFailed` if the dead-letter topic cannot be read; for a source topic that cannot be read
    `Tally.unread` has the reason.
    """
    forecast = job.forecast()
    for record in job.reader.records(job.survey, job.on_progress):
        forecast.select(record)
    consequences, tally = forecast.consequences, forecast.tally
    for topic, firsts in consequences.sources.items():
        try:
            if not job.reader.look_at_source(topic, firsts, consequences.saw, job.on_progress):
                tally.unread[topic] = "only its newest records were read"
        except SourceFailed as failure:
            tally.unread[topic] = str(failure)
    tally.remarks = consequences.counts()
    return tally


async def replay(settings: Settings, job: Job) -> Replayed:
    """Send the selected dead letters through the mapping to the API, until the end of the topic or a signal.

    Raises:
        SourceFailed: the dead-letter topic cannot be read or written.
    """
    telemetry = Telemetry(settings.telemetry)
    letters = DeadLetterTopic(settings.kafka, telemetry, replaying=True)
    letters.cluster_id = job.reader.cluster_id
    api = PipelinesApi(settings.pipelines, telemetry)
    forecast = job.forecast(telemetry.mapper_was_slow, telemetry.calls_noticed)
    marks = ResolvedMarks(settings.kafka)
    source = ReplaySource(
        job.reader, job.survey, forecast, marks, telemetry, who=job.who, on_progress=job.on_progress
    )
    pipeline_settings = _as_one_process(_without_storms(settings))
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
    done = _summary(forecast.tally, source.marked, failed_again, problems, finished=finished)
    return replace(done, interrupted=not source.at_end)


async def _problems(letters: DeadLetterTopic) -> list[Problem]:
    try:
        return await letters.check([])
    except TopicUnknownError as error:
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
    """The pipeline's `Converter`: returns the calls that the forecast has already made."""
    ignored = 0
    for letter in records:
        assert isinstance(letter, ReplayedDeadLetter)
        if letter.rejection is not None:
            rejected.append((letter, letter.rejection))
        calls.extend(letter.calls())
        ignored += not letter.is_for_the_api
    return ignored


def _without_storms(settings: Settings) -> Settings:
    never = {"halt_after_consecutive": sys.maxsize, "halt_above_ratio": 1.0}  # no share is above 1
    return settings.model_copy(update={"dead_letters": settings.dead_letters.model_copy(update=never)})


def _as_one_process(settings: Settings) -> Settings:
    """A replay is no member of the group, so its rate limit is its own."""
    limit = settings.rate_limit.model_copy(update={"scope": "process"})
    return settings.model_copy(update={"rate_limit": limit})


def _summary(
    tally: Tally,
    marked: Counter[ReplayOutcome],
    failed_again: dict[str, int],
    problems: tuple[str, ...],
    *,
    finished: bool,
) -> Replayed:
    # A dead letter that failed again was written as a new one, and the old one marked: both count in `marked`.
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
