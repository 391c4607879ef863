"""Texts and prompts that several `dlq` commands share."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import TYPE_CHECKING

import typer

from worker.cli.lines import print_line
from worker.dead_letters.marks import How

if TYPE_CHECKING:
    from worker.dead_letters.selection import Filters
    from worker.dead_letters.values import Values


def plural(n: int, word: str) -> str:
    """A count with its word: `1 call`, `2 calls`."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def how_resolved(how: str) -> str:
    """How a dead letter was resolved, in words, from its mark.

    A dead letter that a replay sent and that is the newest of its record was delivered: otherwise there were a newer.
    """
    return {How.SENT.value: "delivered by a replay", "": "by a replay"}.get(how, how)


def print_nothing_selected(values: Values, filters: Filters, selected: int) -> None:
    """Warn of filters that select nothing, with near matches and the values that dead letters have."""
    for warning in values.warnings(filters, selected):
        print_line(f"warning: {warning}", fg="yellow", err=True)


def confirm(question: str) -> None:
    """Ask on the terminal; ends the command with exit code 1 unless the answer is yes."""
    if not typer.confirm(question, err=True):
        typer.echo("nothing was done", err=True)
        raise typer.Exit(1)


def is_on_a_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def operator() -> str:
    """Who runs the command, as `user@host`, for marks."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
