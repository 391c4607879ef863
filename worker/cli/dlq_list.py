"""`dlq list`: the dead letters that wait, or that are resolved, in groups; as text or as JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typer

from worker.adapters.dead_letter_topic.reader import DeadLetterReader, open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.dlq_words import how_resolved, plural, print_nothing_selected
from worker.cli.lines import print_line, width_of, wrapped
from worker.cli.options import load
from worker.cli.relative_times import ago
from worker.dead_letters.index import Counts, State
from worker.dead_letters.resolutions import Resolution
from worker.dead_letters.runbook import entry_for
from worker.dead_letters.selection import Filters
from worker.dead_letters.summary import Cause, Group, Summary
from worker.dead_letters.values import Values, moment
from worker.pipeline.ports import SourceFailed

_INDENT = 9
"""Where the second line of a group begins: below its reason."""

_REASON_CHARS = 20
"""The width of the column of reasons: that of the worker's own. Mappers may have longer ones."""


@dataclass(slots=True)
class Listing:
    """What was found.

    Attributes:
        topic: the dead-letter topic.
        resolved: whether resolved dead letters were asked for, instead of those that wait.
        counts: of the whole topic.
        foreign: records that are neither dead letters nor marks.
        summary: the groups that the filters select.
        values: what the dead letters that could be selected have.
    """

    topic: str
    resolved: bool
    counts: Counts
    foreign: int
    summary: Summary
    values: Values


def print_list(path: Path, filters: Filters, *, as_json: bool, resolved: bool) -> None:
    """Print the groups that the filters select."""
    settings, _ = load(path, needs_key=False)
    try:
        with open_dead_letters(settings) as reader:
            listing = _listing(reader, filters, resolved=resolved)
    except SourceFailed as failure:
        print_line(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(orjson.dumps(_as_json(listing), option=orjson.OPT_INDENT_2))
    else:
        _print(listing)
    if filters and not listing.summary.total and not as_json:
        typer.echo("0 selected")
    if filters:
        print_nothing_selected(listing.values, filters, listing.summary.total)


def _listing(reader: DeadLetterReader, filters: Filters, *, resolved: bool) -> Listing:
    with progress("finding resolved dead letters") as on_progress:
        survey = reader.survey(on_progress, who=resolved)
    found = Listing(
        reader.topic, resolved, survey.index.counts(), survey.index.foreign, Summary(time.time()), Values()
    )
    state = State.RESOLVED if resolved else State.WAITING
    with progress("counting dead letters") as on_progress:
        for letter in reader.newest(survey, state, on_progress):
            found.values.count(letter)
            if filters.match(letter):
                place = letter.place
                known = survey.resolutions
                by = None if known is None else known.of(place.partition, place.offset)
                found.summary.count(letter, by)
    return found


def _as_json(listing: Listing) -> dict[str, Any]:
    return {
        "dead_letter_topic": listing.topic,
        **listing.counts._asdict(),
        "selected": listing.summary.total,
        "foreign": listing.foreign,
        "ages": listing.summary.ages,
        "groups": [_group_as_json(cause, group) for cause, group in listing.summary.largest_first()],
    }


def _group_as_json(cause: Cause, group: Group) -> dict[str, Any]:
    entry = entry_for(cause.reason)
    by = {} if group.resolution is None else {"resolved": _resolution_as_json(group.resolution)}
    return {
        "reason": cause.reason,
        "stage": cause.stage,
        "topic": cause.topic,
        "rule": cause.rule,
        "count": group.count,
        "first": moment(group.first),
        "last": moment(group.last),
        "example": group.example,
        "replayed": group.replayed,
        **by,
        "meaning": entry.meaning,
        "fault": entry.fault.value,
        "action": entry.action,
    }


def _resolution_as_json(by: Resolution) -> dict[str, Any]:
    return {**by._asdict(), "how": how_resolved(by.how), "at": moment(by.at) if by.at else None}


def _print(listing: Listing) -> None:
    counts = listing.counts
    again = f" ({counts.failed_again:,} failed again)" if counts.failed_again else ""
    foreign = f" {plural(listing.foreign, 'other record')} skipped." if listing.foreign else ""
    print_line(f"{listing.topic}: {counts.waiting:,} waiting{again}, {counts.resolved:,} resolved.{foreign}")
    groups = listing.summary.largest_first()
    if not groups:
        return
    ages = ", ".join(f"{n:,} {name}" for name, n in listing.summary.ages.items() if n)
    print_line(f"Age: {ages}.")
    _print_groups(groups)
    if listing.resolved:
        return
    for reason in dict.fromkeys(cause.reason for cause, _ in groups):
        entry = entry_for(reason)
        typer.echo()
        print_line(f"{reason}: {entry.meaning} At fault: {entry.fault}. {entry.action}")


def _print_groups(groups: list[tuple[Cause, Group]]) -> None:
    now, width = time.time(), width_of()
    reasons = min(_REASON_CHARS, max(6, *(len(cause.reason) for cause, _ in groups)))
    head = f"{'count':>7}  {'reason':<{reasons}}  stage     newest      oldest      topic"
    typer.secho(f"\n{head}", bold=True)
    for cause, group in groups:
        for line in _group_lines(cause, group, reasons, now, width):
            typer.echo(line)
        if group.replayed:
            print_line(f"{group.replayed:,} failed again in a replay", _INDENT)
        if group.resolution is not None:
            print_line(_resolution(group.resolution, now), _INDENT)


def _group_lines(cause: Cause, group: Group, reasons: int, now: float, width: int | None) -> list[str]:
    """Usually two lines: the counts and times, then the newest dead letter. No name is folded."""
    newest, oldest = ago(now - group.last), ago(now - group.first)
    first = f"{group.count:>7,}  {cause.reason:<{reasons}}  {cause.stage:<8}  {newest:<10}  {oldest:<10}"
    rule = [f"rule {cause.rule}"] if cause.rule else []
    if width is None or len(first) + 2 + len(cause.topic) <= width:
        return [f"{first}  {cause.topic}", *_packed([group.example, *rule], width)]
    return [
        wrapped(first.rstrip(), 0, _INDENT, width),
        *_packed([group.example, f"topic {cause.topic}", *rule], width),
    ]


def _packed(words: list[str], width: int | None) -> list[str]:
    """Words in as few lines as they fit into, each whole, in a line of its own if it is wider than one."""
    lines = [" " * _INDENT + words[0]]
    for word in words[1:]:
        if width is None or len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(" " * _INDENT + word)
    return lines


def _resolution(by: Resolution, now: float) -> str:
    who = f" ({by.who})" if by.who else ""
    when = f", {ago(now - by.at)}" if by.at else ""
    note = f": {by.note}" if by.note else ""
    return f"resolved: {how_resolved(by.how)}{who}{when}{note}"
