"""The result of mapping records: a JSON line each for programs, colours and reasons on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import orjson
import typer

from worker.cli.lines import print_line
from worker.cli.streams import output_is_gone
from worker.core.printable import printable
from worker.core.record_reading import UNREADABLE, read_headers
from worker.mapping.trying.shown import key_text, value_text

if TYPE_CHECKING:
    from worker.core.message_id import MessageIds
    from worker.core.records import Record
    from worker.mapping.explaining import Explanation
    from worker.mapping.mappings import Mappings


@dataclass(frozen=True, slots=True)
class MappedRecords:
    """Records, and what maps them.

    Attributes:
        mappings: the current ones.
        records: read when they are asked for.
        ids: makes the message ids.
        of_kafka: whether they are records of a real topic.
    """

    mappings: Mappings
    records: Iterable[Record]
    ids: MessageIds
    of_kafka: bool = False

    def __iter__(self) -> Iterator[Record]:
        """The records, until the reader of the output has closed it."""
        return iter(takewhile(lambda _: not output_is_gone(), self.records))

    def place(self, record: Record) -> str:
        """What to call a record: its coordinates, or its number in the input."""
        if self.of_kafka:
            return f"{record.topic()}:{record.partition()}:{record.offset()}"
        return f"event {record.offset() + 1}"


class Outcomes:
    """Counts outcomes of records."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._calls = 0

    def add(self, explanation: Explanation) -> None:
        """Count a record."""
        self._counts[outcome(explanation)] += 1
        self._calls += len(explanation.calls)

    @property
    def rejected(self) -> int:
        """How many records were rejected."""
        return self._counts["rejected"]

    def print_count(self, what: str, *, always: bool) -> None:
        """Print the counts to standard error; of a single record only if `always`."""
        total = self._counts.total()
        if (always or total != 1) and not output_is_gone():
            counts = f"{self._counts['sent']} sent as {self._calls:,} call{'' if self._calls == 1 else 's'}"
            counts += f", {self._counts['ignored']:,} ignored, {self._counts['rejected']:,} rejected"
            print_line(f"{total:,} {what}{'' if total == 1 else 's'}: {counts}", err=True)


def outcome(explanation: Explanation) -> str:
    """`sent`, `ignored` or `rejected`."""
    if explanation.rejected is not None:
        return "rejected"
    return "sent" if explanation.ignored is None else "ignored"


def print_verdicts(mapped: MappedRecords) -> int:
    """Print the outcome of each record; returns how many were rejected."""
    from worker.mapping.trying.preview import answer

    outcomes = Outcomes()
    for record in mapped:
        explanation = mapped.mappings.explain(record, mapped.ids)
        outcomes.add(explanation)
        if sys.stdout.isatty():
            if mapped.of_kafka:
                typer.secho(mapped.place(record), bold=True)
            print_explanation(explanation)
            continue
        line = answer(explanation)
        if mapped.of_kafka:
            line |= {"record": mapped.place(record), "rule": explanation.rule}
        typer.echo(orjson.dumps(line))
        print_traceback(explanation)
    outcomes.print_count("record" if mapped.of_kafka else "event", always=mapped.of_kafka)
    return outcomes.rejected


def print_traceback(explanation: Explanation) -> None:
    """Print the exception that a Python mapper raised to standard error: it is the user's own terminal."""
    if explanation.traceback is not None:
        typer.echo(explanation.traceback, err=True, nl=False)


def print_record(record: Record, mappings: Mappings) -> None:
    """Print a record as it was produced; a value and a key in a format with schemas, decoded."""
    typer.secho(f"{record.topic()}:{record.partition()}:{record.offset()}", bold=True)
    print_line(f"key      {_text(key_text(mappings, record))}", 2, hang=11)
    headers = read_headers(record)
    for name, value in headers:
        print_line(f"header   {printable(name)}: {_text(value)}", 2, hang=11)
    if headers is UNREADABLE:
        print_line("headers  cannot be read: a name is not UTF-8", 2)
    value, how = value_text(mappings, record)
    print_line(f"value    {f'({how}) ' if how else ''}{_text(value)}", 2, hang=11)


def print_explanation(explanation: Explanation) -> None:
    """Print the rule, the calls with their sizes, warnings, and why a record was ignored or rejected."""
    print_line(f"rule     {explanation.rule or 'none'}", 2)
    print_outcome(explanation)


def print_outcome(explanation: Explanation) -> None:
    """Print a record's outcome: its calls, or why there are none."""
    for call, size in zip(explanation.calls, explanation.sizes, strict=True):
        typer.secho(f"  call     {call['type']}, {size} bytes", fg="green")
        for line in orjson.dumps(call, option=orjson.OPT_INDENT_2).decode().splitlines():
            print_line(line, 4)
    for warning in explanation.warnings:
        print_line(f"warning  {warning}", 2, fg="yellow")
    if explanation.ignored is not None:
        print_line(f"ignored  {explanation.ignored}", 2, fg="cyan")
    if rejected := explanation.rejected:
        print_line(f"rejected {rejected.stage}: {rejected.reason}: {rejected.detail}", 2, fg="red")
    print_traceback(explanation)


def _text(value: bytes | None) -> str:
    if value is None:
        return "null"
    return printable(value.decode("utf-8", "backslashreplace"))
