"""`dlq resolve`: marks dead letters as resolved, or with `--undo` makes them wait again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from worker.adapters.dead_letter_topic.reader import open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.dlq_words import confirm, is_on_a_terminal, operator, plural, print_nothing_selected
from worker.cli.lines import print_line
from worker.cli.options import load
from worker.pipeline.ports import CommitFailed, SourceFailed
from worker.programs.resolve import NoSuchDeadLetterError, ResolveRequest, choose, write_marks

if TYPE_CHECKING:
    from worker.dead_letters.resolving import Resolving
    from worker.settings import Settings


def print_resolve(path: Path, request: ResolveRequest, note: str, *, yes: bool) -> None:
    """Select, ask, mark, and print how many."""
    if not yes and not is_on_a_terminal():
        raise typer.BadParameter("without a terminal to ask on, --yes is required")
    settings, _ = load(path, needs_key=False)
    try:
        chosen = _choose(settings, request)
        _print_odd(chosen, undo=request.undo)
        if request.filters:
            print_nothing_selected(chosen.values, request.filters, chosen.selected)
        marked = _mark(settings, chosen, note, undo=request.undo, yes=yes)
    except (SourceFailed, CommitFailed) as failure:
        print_line(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    except NoSuchDeadLetterError as error:
        print_line(f"{error}; nothing was marked", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{marked:,} {'waiting again' if request.undo else 'resolved'}" if marked else "0 selected")


def _choose(settings: Settings, request: ResolveRequest) -> Resolving:
    with open_dead_letters(settings) as reader, progress("finding dead letters") as on_progress:
        return choose(reader, request, on_progress)


def _print_odd(chosen: Resolving, *, undo: bool) -> None:
    for handle in chosen.already:
        print_line(f"{handle} is {'waiting' if undo else 'resolved'} already", err=True)
    for handle in chosen.newer:
        print_line(
            f"{handle} failed again: its record has a newer dead letter, which `dlq show {handle}` names",
            err=True,
        )


def _mark(settings: Settings, chosen: Resolving, note: str, *, undo: bool, yes: bool) -> int:
    """Write the marks, after asking; returns how many source records changed their state."""
    if not chosen.selected:
        return 0
    letters = plural(chosen.selected, "dead letter")
    if not yes:
        confirm(f"{letters}: wait again?" if undo else f"{letters}: mark as resolved, without sending?")
    asyncio.run(write_marks(settings, chosen, operator(), note))
    return chosen.selected
