"""`dlq replay`: sends dead letters again, or with `--dry-run` prints what would happen."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from worker.adapters.dead_letter_topic.reader import open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.dlq_words import confirm, is_on_a_terminal, operator, plural, print_nothing_selected
from worker.cli.lines import print_line
from worker.cli.options import load
from worker.customerio.advice import Remark
from worker.dead_letters.selection import LeftAlone
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from worker.adapters.dead_letter_topic.reader import DeadLetterReader
    from worker.dead_letters.forecast import Tally
    from worker.dead_letters.selection import Selection
    from worker.mapping.mappings import Mappings
    from worker.programs.replay import Job, Replayed
    from worker.settings import Settings

Rows = list[tuple[str, int]]

_HANG = 11
"""Where the text of a row begins, and its further lines."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """The options of `dlq replay`.

    Attributes:
        selection: which dead letters to replay.
        rate: a number of requests and the window in seconds in which they may be sent; None for the configured limit.
        include_replayed: whether to ignore `dead_letters.max_replays`.
        dry_run: whether to only count.
        yes: whether to send without asking on a terminal.
    """

    selection: Selection
    rate: tuple[int, float] | None
    include_replayed: bool
    dry_run: bool
    yes: bool = False


def print_replay(path: Path, request: ReplayRequest) -> None:
    """Replay, print the outcome and exit."""
    settings, mappings = load(path, needs_key=not request.dry_run)
    try:
        with open_dead_letters(settings) as reader:
            failed = _replay(_within_rate(settings, request.rate), mappings, reader, request)
    except SourceFailed as failure:
        print_line(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(1 if failed else 0)


def _replay(settings: Settings, mappings: Mappings, reader: DeadLetterReader, request: ReplayRequest) -> bool:
    """Replay and print the outcome; True if any dead letter failed again or the end was not reached."""
    from worker.programs.replay import Job, dry_run

    max_replays = None if request.include_replayed else settings.dead_letters.max_replays
    selection = replace(request.selection, max_replays=max_replays)
    with progress("finding resolved dead letters") as on_progress:
        survey = reader.survey(on_progress)
    with progress("mapping") as on_progress:
        job = Job(reader, survey, selection, mappings, on_progress, who=operator())
        tally = dry_run(job)
    filters = selection.filters
    if filters:
        matched = tally.selected + tally.left_alone.total() - tally.left_alone[LeftAlone.NOT_SELECTED]
        print_nothing_selected(tally.values, filters, matched)
        if not matched:
            typer.echo("0 selected")
            return False
    plan = _plan(tally)
    _print_target(settings, tally)
    before: Rows = [("resolved before", survey.index.counts().resolved)]
    if request.dry_run:
        rows = _forecast(tally) + _left_alone(tally) + before + plan
        _print("would happen (nothing was sent or written)", rows)
        return False
    for name, n in plan:
        print_line(f"{n:>9,}  {name}", hang=_HANG, err=True)
    if tally.selected and not request.yes and is_on_a_terminal():
        confirm("Send them?")
    with progress("replaying") as on_progress:
        done = _send(settings, replace(job, on_progress=on_progress))
    _print("happened", _outcome(done) + _left_alone(tally) + before)
    for problem in done.problems:
        print_line(f"stopped: {problem}", err=True)
    if done.interrupted:
        print_line("stopped before the end: run the same command again to continue", err=True)
    return bool(done.failed_again) or not done.finished


def _print_target(settings: Settings, tally: Tally) -> None:
    """Print where the calls go to, and how many there are."""
    host = urlsplit(settings.pipelines.base_url).netloc
    counts = f"{plural(tally.selected, 'dead letter')}, {plural(tally.calls, 'call')}"
    print_line(f"Replay to {host}: {counts}", err=True)
    for topic, why in tally.unread.items():
        print_line(f"warning: {topic} was not searched for later records: {why}", fg="yellow", err=True)


def _plan(tally: Tally) -> Rows:
    """What the calls may do, or not do, at Customer.io."""
    always = (Remark.MAY_START_CAMPAIGNS, Remark.STARTS_NO_CAMPAIGN, Remark.MAY_BE_IGNORED)
    rows: Rows = []
    for remark in Remark:
        calls, people = tally.remarks.get(remark, (0, 0))
        if calls or remark in always:
            what = "profile updates" if remark is Remark.MAY_BE_IGNORED else "events"
            whom = f" ({people:,} {'person' if people == 1 else 'people'})" if calls else ""
            rows.append((f"{what}{whom} {remark}", calls))
    return rows


def _send(settings: Settings, job: Job) -> Replayed:
    import uvloop

    from worker.programs.replay import replay
    from worker.telemetry.logs import configure_logging

    configure_logging(settings.telemetry, sys.stderr)
    return uvloop.run(replay(settings, job))


def _within_rate(settings: Settings, rate: tuple[int, float] | None) -> Settings:
    """The settings with a lower rate limit; a rate above the configured limit is ignored."""
    limit = settings.rate_limit
    if rate is None or rate[0] / rate[1] >= limit.requests / limit.per:
        return settings
    lower = limit.model_copy(update={"requests": rate[0], "per": rate[1]})
    return settings.model_copy(update={"rate_limit": lower})


def _forecast(tally: Tally) -> Rows:
    return [
        (f"would be delivered ({tally.calls:,} calls)", tally.to_deliver),
        ("would be ignored by the current mapping, and resolved", tally.ignored),
        *((f"would be rejected again: {reason}", n) for reason, n in tally.rejected.most_common()),
    ]


def _outcome(done: Replayed) -> Rows:
    left_over: Rows = [("sent but not finished: the next replay sends them again", done.left_over)]
    return [
        ("delivered", done.delivered),
        ("ignored by the current mapping, and resolved", done.ignored),
        *((f"failed again: {reason}", n) for reason, n in sorted(done.failed_again.items())),
        *(left_over if done.left_over else []),
    ]


def _left_alone(tally: Tally) -> Rows:
    return [(f"left alone: {why}", n) for why, n in tally.left_alone.most_common()]


def _print(title: str, rows: Rows) -> None:
    typer.echo(f"    count  {title}")
    for name, n in rows:
        print_line(f"{n:>9,}  {name}", hang=_HANG)
