"""Lines of text for people, no wider than the terminal they are printed on."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

import typer

_FURTHER = 4
"""How much deeper the second line of a text is indented than its first."""


def width_of(*, err: bool = False) -> int | None:
    """The width in which to print: the terminal's, or `COLUMNS` if that is set; None if a line may have any length."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def print_line(
    text: str,
    indent: int = 0,
    fg: str | None = None,
    *,
    err: bool = False,
    bold: bool = False,
    hang: int | None = None,
) -> None:
    """Print a text; on a terminal in as many lines as it needs. A word that is wider than a line stays whole.

    Args:
        text: the text.
        indent: spaces before it.
        fg: its color.
        err: whether to print to standard error.
        bold: whether to print it in bold.
        hang: spaces before its further lines; by default four more than before the first.
    """
    hang = indent + _FURTHER if hang is None else hang
    typer.secho(wrapped(text, indent, hang, width_of(err=err)), fg=fg, err=err, bold=bold or None)


def wrapped(text: str, indent: int, hang: int, width: int | None) -> str:
    """The text in lines of at most this width, or in one line."""
    begin = " " * indent
    if width is None:
        return begin + text
    return textwrap.fill(
        text,
        width,
        initial_indent=begin,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
