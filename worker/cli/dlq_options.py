"""Options of the `dlq` commands (filters, ages, rates) and their progress bar."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.dead_letters.selection import Filters

ReasonOption = Annotated[
    list[str] | None, typer.Option(metavar="CODE", help="Only this reason; may be repeated.")
]
StageOption = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE", help="Only this stage: decode, map, validate, deliver; may be repeated."),
]
TopicOption = Annotated[
    list[str] | None, typer.Option(metavar="TOPIC", help="Only records of this topic; may be repeated.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="Only failures since this time: 2026-11-21T10:00:00Z, or 2h for two hours ago."
    ),
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Only failures before this time; same format as --since.")
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:/(s|m|h))?")


def filters(
    reasons: Sequence[str] | None,
    stages: Sequence[str] | None,
    topics: Sequence[str] | None,
    since: str | None,
    until: str | None,
) -> Filters:
    """The filters that the options describe."""
    from worker.dead_letters.selection import Filters

    return Filters(
        frozenset(reasons or ()),
        frozenset(stages or ()),
        frozenset(topics or ()),
        None if since is None else moment(since, "--since"),
        None if until is None else moment(until, "--until"),
    )


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
