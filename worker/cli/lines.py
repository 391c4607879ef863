"""Lines of text for people, no wider than the terminal they are printed on."""

from __future__ import annotations

import shutil
import sys
import textwrap

import typer

_FURTHER = 4
"""How much deeper the second line of a text is indented than its first."""


def print_line(text: str, indent: int = 0, fg: str | None = None, *, err: bool = False) -> None:
    """Print a text; on a terminal in as many lines as it needs. A word that is wider than a line stays whole."""
    begin = " " * indent
    if (sys.stderr if err else sys.stdout).isatty():
        width = shutil.get_terminal_size().columns
        further = " " * (indent + _FURTHER)
        text = textwrap.fill(
            text,
            width,
            initial_indent=begin,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
    else:
        text = begin + text
    typer.secho(text, fg=fg, err=err)
