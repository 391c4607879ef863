"""Options of the `dlq` commands: filters, ages, rates, and their progress bar."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.dead_letters.selection import Filters


def _reasons(incomplete: str) -> list[str]:
    from worker.dead_letters.runbook import RUNBOOK

    return [code for code in RUNBOOK if code.startswith(incomplete.upper())]


def _stages(incomplete: str) -> list[str]:
    return [stage for stage in ("decode", "map", "validate", "deliver") if stage.startswith(incomplete)]


ReasonOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CODE", help="Only this reason. May be repeated.", autocompletion=_reasons),
]
StageOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STAGE",
        help="Only this stage: decode, map, validate or deliver. May be repeated.",
        autocompletion=_stages,
    ),
]
TopicOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TOPIC", help="Only records of this source topic. May be repeated."),
]
SinceOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHEN",
        help="Only failures since this time: 2026-11-21T10:00:00Z, or 2h for two hours ago. May be repeated.",
    ),
]
UntilOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHEN",
        help="Only failures before this time. If both are repeated, the first --since and the first --until are one "
        "span of time, the second ones another.",
    ),
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:/(s|m|h))?")


def filters(
    reasons: Sequence[str] | None,
    stages: Sequence[str] | None,
    topics: Sequence[str] | None,
    since: Sequence[str] | None,
    until: Sequence[str] | None,
) -> Filters:
    """The filters that the options describe. An unknown stage is a usage error: there are only four."""
    from worker.dead_letters.selection import Filters, Window

    for stage in stages or ():
        _check_stage(stage)
    begins = [moment(text, "--since") for text in since or ()]
    ends = [moment(text, "--until") for text in until or ()]
    windows = tuple(Window(*each) for each in zip_longest(begins, ends))
    return Filters(frozenset(reasons or ()), frozenset(stages or ()), frozenset(topics or ()), windows)


def _check_stage(stage: str) -> None:
    from worker.core.near_matches import did_you_mean
    from worker.core.reasons import Stage

    names = [each.value for each in Stage]
    if stage not in names:
        hint = did_you_mean(stage, names)
        message = (
            f"there is no stage '{stage}'{f' ({hint})' if hint else ''}; the stages are {', '.join(names)}"
        )
        raise typer.BadParameter(message, param_hint="--stage")


def moment(text: str, option: str) -> float:
    """Parse a time as epoch seconds: RFC 3339 (UTC if it has no offset), or a duration before now."""
    if match := _DURATION.fullmatch(text):
        return time.time() - float(match[1]) * _UNITS[match[2]]
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        message = "must be a time such as 2026-11-21T10:00:00Z or a duration such as 2h"
        raise typer.BadParameter(message, param_hint=option) from None


def duration(text: str, option: str) -> float:
    """Parse a duration as seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter("must be a duration such as 500ms, 3s, 5m, 24h or 7d", param_hint=option)
    return float(match[1]) * _UNITS[match[2]]


def rate(text: str) -> tuple[int, float]:
    """Parse a rate as a number of requests and a window in seconds: 0.5/s is one request in 2 seconds."""
    match = _RATE.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter("must be a rate such as 50/s, 0.5/s or 30/m", param_hint="--rate")
    number, seconds = float(match[1]), _UNITS[match[2] or "s"]
    return (int(number), seconds) if number.is_integer() else (1, seconds / number)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar if standard error is a terminal; yields a callback that takes the progress and the total."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
