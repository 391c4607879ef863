"""`dlq list`: the waiting dead letters in groups, as a table or as JSON."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.adapters.dead_letter_topic.reader import DeadLetterReader, OnProgress, Survey, open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.options import load
from worker.dead_letters.headers import clamped_seconds
from worker.dead_letters.runbook import entry_for
from worker.dead_letters.selection import Filters
from worker.dead_letters.summary import Cause, Group, Summary
from worker.pipeline.ports import SourceFailed

PIPED_WIDTH = 220
"""Width of the table if the output is not a terminal: enough for usual names of topics and rules on one line."""

FOLDED = {"topic", "rule", "newest one"}
"""Columns that may be broken into several lines on a narrow terminal."""


def print_list(path: Path, filters: Filters, *, as_json: bool) -> None:
    """Print the groups that the filters select."""
    settings, _ = load(path, needs_key=False)
    try:
        with open_dead_letters(settings) as reader:
            with progress("finding resolved dead letters") as on_progress:
                survey = reader.survey(on_progress)
            with progress("counting waiting dead letters") as on_progress:
                summary = count(reader, survey, filters, on_progress)
    except SourceFailed as failure:
        typer.echo(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(orjson.dumps(_as_json(reader.topic, survey, summary), option=orjson.OPT_INDENT_2))
    else:
        _print(reader.topic, survey, summary)


def count(reader: DeadLetterReader, survey: Survey, filters: Filters, on_progress: OnProgress) -> Summary:
    """Count the waiting dead letters that the filters select."""
    summary = Summary(time.time())
    for letter in reader.waiting(survey, on_progress):
        if filters.match(letter):
            summary.count(letter)
    return summary


def _as_json(topic: str, survey: Survey, summary: Summary) -> dict[str, Any]:
    resolved, superseded = survey.index.counts()
    return {
        "dead_letter_topic": topic,
        "waiting": summary.total,
        "resolved": resolved,
        "superseded": superseded,
        "foreign": survey.index.foreign,
        "ages": summary.ages,
        "groups": [_group_as_json(cause, group) for cause, group in summary.largest_first()],
    }


def _group_as_json(cause: Cause, group: Group) -> dict[str, Any]:
    entry = entry_for(cause.reason)
    return {
        **cause._asdict(),
        "count": group.count,
        "first": moment(group.first),
        "last": moment(group.last),
        "example": group.example,
        "replayed": group.replayed,
        "meaning": entry.meaning,
        "fault": entry.fault.value,
        "action": entry.action,
    }


def _print(topic: str, survey: Survey, summary: Summary) -> None:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPED_WIDTH)
    resolved, superseded = survey.index.counts()
    waiting = "1 dead letter waits" if summary.total == 1 else f"{summary.total:,} dead letters wait"
    console.print(
        f"{waiting} in {topic}: {resolved:,} resolved, {superseded:,} superseded, "
        f"{survey.index.foreign:,} other records skipped.",
        markup=False,
    )
    groups = summary.largest_first()
    if groups:
        ages = ", ".join(f"{n:,} {name}" for name, n in summary.ages.items() if n)
        console.print(f"Age: {ages}.\n", markup=False)
        console.print(_table(groups))
    for reason in dict.fromkeys(cause.reason for cause, _ in groups):
        entry = entry_for(reason)
        console.print(f"\n{reason}: {entry.meaning} At fault: {entry.fault}. {entry.action}", markup=False)


def _table(groups: list[tuple[Cause, Group]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("count", "reason", "stage", "topic", "rule", "first (UTC)", "last (UTC)", "newest one"):
        justify: Literal["left", "right"] = "right" if name == "count" else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name not in FOLDED)
    for cause, group in groups:
        again = f" ({group.replayed:,} replayed)" if group.replayed else ""
        first, last = moment(group.first)[:19], moment(group.last)[:19]
        cells = (cause.reason, cause.stage, cause.topic, cause.rule or "-", first, last, group.example)
        table.add_row(
            f"{group.count:,}{again}", *map(Text, cells)
        )  # `Text`, because Rich reads brackets in strings as markup
    return table


def moment(seconds: float) -> str:
    """Epoch seconds as RFC 3339, clamped to the years 1970 to 9999."""
    return (
        datetime.fromtimestamp(clamped_seconds(seconds), UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )
