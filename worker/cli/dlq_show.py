"""`dlq show`: one dead letter, and what a replay does with it."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import orjson
import typer

from worker.adapters.dead_letter_topic.reader import DeadLetterReader, open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.options import load
from worker.core.message_id import MessageIds
from worker.core.printable import printable
from worker.core.record_reading import UNREADABLE, read_headers
from worker.core.records import Partition
from worker.dead_letters.dead_letter import DeadLetter
from worker.dead_letters.index import State
from worker.dead_letters.masking import cut, masked, shape
from worker.dead_letters.runbook import entry_for
from worker.dead_letters.selection import Filters, Selection
from worker.mapping.mappings import Explanation, Mappings
from worker.pipeline.ports import SourceFailed
from worker.settings import Settings

STALE_AFTER_SECONDS = 86_400.0
"""The default of `dlq replay --stale-after`."""

_STATES = {
    State.WAITING: "waiting for a replay",
    State.RESOLVED: "resolved: nothing left to do",
    State.SUPERSEDED: "superseded: the same record has a newer dead letter",
}


def print_letter(path: Path, partition: Partition, offset: int, *, reveal: bool) -> None:
    """Print the dead letter at this position, or the newest dead letter of the source record at this position."""
    settings, mappings = load(path, needs_key=False)
    try:
        with open_dead_letters(settings) as reader:
            letter = _find(reader, partition, offset)
            state = None if letter is None else _state(reader, letter)
    except SourceFailed as failure:
        typer.echo(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    if letter is None or state is None:
        typer.echo(f"no dead letter at {partition[0]}:{partition[1]}:{offset}", err=True)
        raise typer.Exit(1)
    _print_why(letter, state, reveal=reveal)
    _print_record(letter, reveal=reveal)
    _print_forecast(letter, settings, mappings, reveal=reveal)


def _find(reader: DeadLetterReader, partition: Partition, offset: int) -> DeadLetter | None:
    if partition[0] == reader.topic:
        return reader.letter(partition[1], offset)
    with progress("searching the dead-letter topic") as on_progress:
        return reader.newest_of((partition, offset), on_progress)


def _state(reader: DeadLetterReader, letter: DeadLetter) -> State:
    """The state of a dead letter; only later records of its partition can change it."""
    number, offset = letter.record.partition(), letter.record.offset()
    with progress("finding its state") as on_progress:
        return reader.survey(on_progress, only=number, since=offset).index.state(number, offset)


def _print_why(letter: DeadLetter, state: State, *, reveal: bool) -> None:
    entry = entry_for(letter.reason)
    typer.secho(letter.handle, bold=True)
    typer.echo(f"  state    {_STATES[state]}")
    typer.secho(f"  reason   {letter.reason} (stage {letter.stage})", fg="red")
    typer.echo(f"  meaning  {entry.meaning}")
    typer.echo(f"  fault    {entry.fault}")
    typer.echo(f"  to do    {entry.action}")
    for fact in letter.facts:
        typer.echo(f"  fact     {fact.name}: {fact.text if reveal or fact.safe else shape(fact.text)}")


def _print_record(letter: DeadLetter, *, reveal: bool) -> None:
    origin = letter.origin
    place = f"{origin.topic()}:{origin.partition()}:{origin.offset()}" if origin else "unknown"
    typer.secho(f"  origin   {place}", bold=True)
    record = letter.record
    typer.echo(f"  key      {_bytes(record.key(), reveal=reveal)}")
    headers = read_headers(origin) if origin else []
    for name, value in headers:
        typer.echo(f"  header   {printable(name)}: {_bytes(value, reveal=reveal)}")
    if headers is UNREADABLE:
        typer.echo("  headers  left out: a header's name is not UTF-8")
    _print_value(record.value(), reveal=reveal)
    if not reveal:
        typer.secho("           (masked; use --reveal to show everything)", dim=True)


def _print_value(value: bytes | None, *, reveal: bool) -> None:
    if value is None:
        typer.echo("  value    null")
        return
    typer.echo(f"  value    {len(value):,} bytes")
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError as fault:
        typer.echo(f"    (not JSON: line {fault.lineno}, column {fault.colno})")
        typer.echo(f"    {_bytes(value, reveal=reveal)}")
        return
    shown = cut(decoded)
    _print_json(shown if reveal else masked(shown))


def _print_forecast(letter: DeadLetter, settings: Settings, mappings: Mappings, *, reveal: bool) -> None:
    """Print what a replay does with it."""
    selection = Selection(
        Filters(), time.time(), settings.dead_letters.max_replays, stale_after=STALE_AFTER_SECONDS
    )
    left_alone = selection.before(letter)
    origin = letter.origin
    if origin is None or not letter.has_its_value:
        typer.secho(f"  replay   is not possible: {left_alone}", fg="red")
        return
    # The mapping is shown even for a dead letter that is left alone, so that a fix can be tried here.
    explanation = mappings.explain(origin, MessageIds(letter.cluster_id))
    left_alone = left_alone or selection.after(letter, explanation.calls)
    _print_explanation(explanation, None if reveal else mappings.event_names)
    if left_alone:
        typer.secho(f"  replay   would leave it alone: {left_alone}", fg="yellow")


def _print_explanation(explanation: Explanation, unmasked_texts: Collection[str] | None) -> None:
    """Print what the current mapping makes of it, with everything masked but these texts; None masks nothing."""
    typer.echo(f"  rule     {explanation.rule or 'none'} (current mapping)")
    if rejected := explanation.rejected:
        why = f"{rejected.stage}: {rejected.reason}: {rejected.detail}"
        typer.secho(f"  replay   would be rejected again: {why}", fg="red")
    elif explanation.ignored is not None:
        typer.secho(f"  replay   would send nothing and resolve it: {explanation.ignored}", fg="cyan")
    else:
        typer.secho(f"  replay   would send {len(explanation.calls)} call(s):", fg="green")
    for call in explanation.calls:
        _print_json(call if unmasked_texts is None else masked(call, own_texts=unmasked_texts))


def _print_json(value: Any) -> None:
    # Not `splitlines`: it also splits at control characters, which `printable` is to escape.
    for line in orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().split("\n"):
        typer.echo(f"    {printable(line)}")


def _bytes(value: bytes | None, *, reveal: bool) -> str:
    if value is None:
        return "null"
    text = value.decode("utf-8", "backslashreplace")
    return printable(text if reveal else shape(text))
