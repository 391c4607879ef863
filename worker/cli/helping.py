"""The form of `--help` and of usage errors: whole sentences, an example for each command, no line too wide."""

from __future__ import annotations

import io
import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from worker.cli.lines import print_line

USAGE_ERROR: type[Exception] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError"
)
"""Raised by Typer for options and arguments that it does not understand. Typer has no public name for it."""


class HelpCommand(TyperCommand):
    """A command whose options are named as its user writes them."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options."""
        _write_parameters(self, ctx, formatter)


class HelpGroup(TyperGroup):
    """A group of commands whose list has the first sentence of each command's help, in as many lines as it takes."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options and the list of commands."""
        _write_parameters(self, ctx, formatter)
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(each)) for name, each in found if each is not None and not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            # Typer adds the Python type, such as <list[str]>, and bounds, such as x>=1.
            name = re.sub(r" <[^>]*>$", "", record[0])
            text = re.sub(
                r"(?:; |  \[)x[<>]=?[0-9.]+(?=\])", lambda bound: "  [" * (bound[0][0] == " "), record[1]
            )
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            sections[kind].append((name, text.removesuffix("  []")))
    for title, rows in sections.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _first_sentence(command: Any) -> str:
    text = " ".join((command.help or "").split())
    sentence, point, _ = text.partition(". ")
    return str(sentence + point.strip())


def examples(*lines: str) -> str:
    """The end of a command's help: command lines to copy."""
    # A paragraph that begins with \b is printed as it stands.
    title = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join(["\b", title, *(f"  pipelines-worker {line}" for line in lines)])


def print_usage_error(error: Any) -> None:
    """Print a usage error as Typer does, in lines that fit the terminal."""
    said = io.StringIO()
    error.show(file=said)
    for line in said.getvalue().splitlines():
        print_line(line.lstrip(), len(line) - len(line.lstrip()), err=True)
