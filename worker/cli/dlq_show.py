"""`dlq show`: one dead letter, and what a replay does with it."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typer

from worker.adapters.dead_letter_topic.reader import DeadLetterReader, OnProgress, open_dead_letters
from worker.cli.dlq_options import progress
from worker.cli.dlq_words import how_resolved, plural
from worker.cli.lines import print_line
from worker.cli.options import load
from worker.cli.relative_times import ago
from worker.core.message_id import MessageIds
from worker.core.printable import printable
from worker.core.reasons import Rejected
from worker.core.record_reading import UNREADABLE, read_headers
from worker.core.records import Partition, Record
from worker.customerio.advice import Remark, remarks
from worker.dead_letters.consequences import Consequences
from worker.dead_letters.dead_letter import DeadLetter
from worker.dead_letters.index import History
from worker.dead_letters.masking import cut, cut_texts, masked, shape
from worker.dead_letters.runbook import entry_for
from worker.dead_letters.selection import Filters, Selection
from worker.dead_letters.values import moment
from worker.mapping.explaining import Explanation
from worker.mapping.mappings import Mappings
from worker.mapping.trying.shown import key_text, shown_value
from worker.pipeline.ports import SourceFailed
from worker.programs.fetching import explained
from worker.settings import Settings

STALE_AFTER_SECONDS = 86_400.0
"""The default of `dlq replay --stale-after`."""

MAX_LINES = 40
"""Lines of a value that are printed, unless `--full` is given: the rest of the output stays on the screen."""

MAX_CHARS = 300
"""Characters of a text that are printed, unless `--full` is given."""


@dataclass(frozen=True, slots=True)
class View:
    """How values are shown.

    Attributes:
        reveal: whether personal data is not masked.
        full: whether large values are not cut.
        own_texts: texts of the configuration, which are never masked.
    """

    reveal: bool
    full: bool
    own_texts: Collection[str]


def print_letter(path: Path, partition: Partition, offset: int, *, reveal: bool, full: bool) -> None:
    """Print the dead letter at this position, or the newest dead letter of the source record at this position."""
    settings, mappings = load(path, needs_key=False)
    try:
        with open_dead_letters(settings) as reader, progress("searching") as on_progress:
            letter = reader.find(partition, offset, on_progress)
            history = None if letter is None else reader.history(letter, on_progress)
            explanation = None if letter is None else _explained(letter, mappings)
            superseded = explanation is not None and _is_superseded(reader, letter, explanation, on_progress)
    except SourceFailed as failure:
        print_line(f"kafka: {failure}", err=True)
        raise typer.Exit(1) from None
    if letter is None or history is None:
        print_line(f"there is no dead letter at {partition[0]}:{partition[1]}:{offset}", err=True)
        raise typer.Exit(1)
    view = View(reveal, full, mappings.event_names)
    typer.secho(letter.handle, bold=True)
    _print_state(letter, history)
    _print_record(letter, mappings, view)
    _print_forecast(letter, settings, explanation, view, superseded=superseded)
    _print_why(letter, view)


def _print_state(letter: DeadLetter, history: History) -> None:
    mark, newest = history.mark, history.newest
    if mark is not None:
        who = f" ({mark.who})" if mark.who else ""
        note = f": {mark.note}" if mark.note else ""
        _print_field("state", f"resolved: {how_resolved(mark.how)}{who}, {ago(time.time() - mark.at)}{note}")
    elif newest is letter:
        _print_field("state", "waiting")
    else:
        _print_field("state", "failed again: a newer dead letter of the same record is waiting")
        _print_field("newer", newest.handle)


def _print_record(letter: DeadLetter, mappings: Mappings, view: View) -> None:
    origin = letter.origin
    place = f"{origin.topic()}:{origin.partition()}:{origin.offset()}" if origin else "unknown"
    _print_field("origin", place, bold=True)
    _print_field("time", f"{moment(letter.happened_at)} ({ago(time.time() - letter.happened_at)})")
    record = letter.record
    _print_field("key", _bytes(key_text(mappings, origin or record), view))
    headers = read_headers(origin) if origin else []
    for name, value in headers:
        _print_field("header", f"{printable(name)}: {_bytes(value, view)}")
    if headers is UNREADABLE:
        _print_field("headers", "left out: a header's name is not UTF-8")
    if not letter.has_its_value:
        _print_field("value", "left out: it was too large for the dead-letter topic")
        return
    _print_value(origin or record, mappings, view)
    if not view.reveal:
        print_line("(masked; --reveal shows everything)", 4)


def _print_value(record: Record, mappings: Mappings, view: View) -> None:
    value = record.value()
    if value is None:
        _print_field("value", "null")
        return
    size = f"{len(value):,} bytes"
    try:
        found = shown_value(mappings, record)
        decoded = orjson.loads(value) if found is None else found.value
    except (orjson.JSONDecodeError, Rejected) as fault:
        _print_field("value", size)
        print_line(_why_no_json(fault), 4)
        print_line(_bytes(value, view), 4)
        return
    _print_field("value", size if found is None else f"{size} ({found.how})")
    shown = cut(decoded)
    _print_json(shown if view.reveal else masked(shown), view)


def _why_no_json(fault: orjson.JSONDecodeError | Rejected) -> str:
    if isinstance(fault, Rejected):
        return f"({fault.reason}: {fault.detail})"
    return f"(not JSON: line {fault.lineno}, column {fault.colno})"


def _explained(letter: DeadLetter, mappings: Mappings) -> Explanation | None:
    """What the current mapping makes of it; None if it cannot be replayed.

    This is shown even for a dead letter that a replay leaves alone, so that a fix can be tried here.
    """
    origin = letter.origin
    if origin is None or not letter.has_its_value:
        return None
    return explained(mappings, origin, MessageIds(letter.cluster_id))


def _is_superseded(
    reader: DeadLetterReader, letter: DeadLetter | None, explanation: Explanation, on_progress: OnProgress
) -> bool:
    """Whether its profile updates are old, or the source topic has a later record of the same key."""
    consequences = Consequences(time.time(), STALE_AFTER_SECONDS)
    if letter is not None and letter.origin is not None:
        consequences.add(letter.origin, explanation.calls)
    for topic, firsts in consequences.sources.items():
        with suppress(SourceFailed):  # the topic may be gone
            reader.look_at_source(topic, firsts, consequences.saw, on_progress)
    return Remark.MAY_BE_IGNORED in consequences.counts()


def _print_forecast(
    letter: DeadLetter, settings: Settings, explanation: Explanation | None, view: View, *, superseded: bool
) -> None:
    """Print what a replay does with it."""
    selection = Selection(
        Filters(), time.time(), settings.dead_letters.max_replays, stale_after=STALE_AFTER_SECONDS
    )
    left_alone = selection.before(letter)
    if explanation is None:
        _print_field("replay", f"is not possible: {left_alone}", fg="red")
        return
    left_alone = left_alone or selection.after(letter, explanation.calls)
    _print_explanation(explanation, view, superseded=superseded)
    if left_alone:
        _print_field("replay", f"would leave it alone: {left_alone}", fg="yellow")


def _print_explanation(explanation: Explanation, view: View, *, superseded: bool) -> None:
    """Print what the current mapping makes of it."""
    now = time.time()
    if explanation.unknown is not None:
        _print_field("replay", f"cannot be told: {explanation.unknown}", fg="yellow")
        return
    _print_field("rule", f"{explanation.rule or 'none'} (current mapping)")
    if rejected := explanation.rejected:
        why = f"{rejected.stage}: {rejected.reason}: {rejected.detail}"
        _print_field("replay", f"would be rejected again: {why}", fg="red")
    elif explanation.ignored is not None:
        _print_field("replay", f"would send nothing and resolve it: {explanation.ignored}", fg="cyan")
    else:
        _print_field("replay", f"would send {plural(len(explanation.calls), 'call')}:", fg="green")
    for call in explanation.calls:
        _print_json(call if view.reveal else masked(call, own_texts=view.own_texts), view)
        for remark in remarks(call, now, superseded=superseded):
            print_line(remark, 4, fg="yellow")


def _print_why(letter: DeadLetter, view: View) -> None:
    entry = entry_for(letter.reason)
    _print_field("reason", f"{letter.reason} (stage {letter.stage})", fg="red")
    _print_field("meaning", entry.meaning)
    _print_field("fault", str(entry.fault))
    _print_field("to do", entry.action)
    for fact in letter.facts:
        text = fact.text if view.reveal or fact.safe else shape(fact.text)
        _print_field("fact", f"{fact.name}: {text}")


def _print_field(name: str, text: str, fg: str | None = None, *, bold: bool = False) -> None:
    print_line(f"{name:<8} {text}", 2, fg, bold=bold, hang=11)


def _print_json(value: Any, view: View) -> None:
    shown = value if view.full else cut_texts(value, MAX_CHARS)
    # Not `splitlines`: it also splits at control characters, which `printable` is to escape.
    lines = orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode().split("\n")
    printed = lines if view.full else lines[:MAX_LINES]
    for line in printed:
        print_line(printable(line), 4)
    if len(printed) < len(lines):
        print_line(f"... ({plural(len(lines) - len(printed), 'more line')}; --full shows all)", 4)


def _bytes(value: bytes | None, view: View) -> str:
    if value is None:
        return "null"
    text = value.decode("utf-8", "backslashreplace")
    if not view.reveal:
        return printable(shape(text))
    if view.full or len(text) <= MAX_CHARS:
        return printable(text)
    return f"{printable(text[:MAX_CHARS])}... ({len(text):,} characters)"
