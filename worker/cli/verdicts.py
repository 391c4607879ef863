"""The result of mapping a record: a JSON line for programs, colours and reasons on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import orjson
import typer

from worker.core.record_reading import UNREADABLE, read_headers
from worker.mapping.trying.preview import answer

if TYPE_CHECKING:
    from worker.core.records import Record
    from worker.mapping.mappings import Explanation


def print_verdict(explanation: Explanation) -> bool:
    """Print the result; returns whether the record was rejected."""
    if sys.stdout.isatty():
        print_explanation(explanation)
    else:
        typer.echo(orjson.dumps(answer(explanation)))
    return explanation.rejected is not None


def print_record(record: Record) -> None:
    """Print a record as it was produced."""
    typer.secho(f"{record.topic()}:{record.partition()}:{record.offset()}", bold=True)
    typer.echo(f"  key      {_text(record.key())}")
    headers = read_headers(record)
    for name, value in headers:
        typer.echo(f"  header   {_plain(name)}: {_text(value)}")
    if headers is UNREADABLE:
        typer.echo("  headers  cannot be read: a name is not UTF-8")
    typer.echo(f"  value    {_text(record.value())}")


def print_explanation(explanation: Explanation) -> None:
    """Print the rule, the calls with their sizes, warnings, and why a record was ignored or rejected."""
    typer.secho(f"  rule     {explanation.rule or 'none'}", dim=True)
    for call, size in zip(explanation.calls, explanation.sizes, strict=True):
        typer.secho(f"  call     {call['type']}, {size} bytes", fg="green")
        for line in orjson.dumps(call, option=orjson.OPT_INDENT_2).decode().splitlines():
            typer.echo(f"    {line}")
    for warning in explanation.warnings:
        typer.secho(f"  warning  {warning}", fg="yellow")
    if explanation.ignored is not None:
        typer.secho(f"  ignored  {explanation.ignored}", fg="cyan")
    if rejected := explanation.rejected:
        typer.secho(f"  rejected {rejected.stage}: {rejected.reason}: {rejected.detail}", fg="red")


def _text(value: bytes | None) -> str:
    if value is None:
        return "null"
    return _plain(value.decode("utf-8", "backslashreplace"))


def _plain(text: str) -> str:
    """The text with control characters escaped, because a terminal would act on them."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
