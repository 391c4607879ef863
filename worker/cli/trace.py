"""`trace`: where an event is."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from worker.cli.dlq_options import moment, progress
from worker.cli.lines import print_line
from worker.cli.options import ConfigOption, chosen_config, coordinates, load
from worker.core.printable import printable

if TYPE_CHECKING:
    from worker.core.records import Record
    from worker.mapping.explaining import Explanation
    from worker.programs.trace import Traced


def trace(
    context: typer.Context,
    place: Annotated[
        str | None, typer.Argument(metavar="TOPIC:PARTITION:OFFSET", help="The record at this position.")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC", help="With --key: the topic to search. With --message-id: only this one."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="The newest records with this key.")] = None,
    message_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The record of a call, by the messageId that Customer.io shows."),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="Read no older records: 24h, or 2026-11-21T10:00:00Z."),
    ] = "24h",
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --key: how many records to show.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each record.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show where an event is: whether it is finished, its calls, and its dead letter.

    Names the event by its position, by the key of its record, or by the messageId of its call. A record is finished
    once the group has committed an offset above it: it was delivered, ignored or dead-lettered. Joins no group and
    changes nothing. Exits with 1 if nothing is found, and says what was searched.
    """
    if sum(each is not None for each in (place, key, message_id)) != 1:
        raise typer.BadParameter("use one of TOPIC:PARTITION:OFFSET, --topic with --key, and --message-id")
    if key is not None and topic is None:
        raise typer.BadParameter("--key needs --topic", param_hint="--key")
    position = None if place is None else coordinates(place, "TOPIC:PARTITION:OFFSET")
    oldest = int(moment(since, "--since") * 1000)
    settings, mappings = load(chosen_config(context, config), needs_key=False)
    named = position[0][0] if position else topic
    if named is not None and (said := mappings.unknown_topic(named)):
        raise typer.BadParameter(said)
    from worker.adapters.kafka.reader import KafkaReader
    from worker.pipeline.ports import SourceFailed
    from worker.programs.trace import Trace

    try:
        with closing(KafkaReader(settings)) as reader, progress("searching") as on_progress:
            search = Trace(reader, mappings, settings.kafka.dead_letter_topic, on_progress)
            if position is not None:
                found = search.at(position)
            elif key is not None:
                found = search.by_key(str(topic), key.encode(), oldest, limit)
            else:
                found = search.by_message_id(str(message_id).upper(), topic, oldest)
    except SourceFailed as error:
        print_line(f"kafka: {error}", err=True)
        raise typer.Exit(1) from None
    for each in found:
        if as_json:
            typer.echo(orjson.dumps(_facts(each)))
        else:
            _print(each, settings.kafka.group_id)
    _print_searched(search.searched, len(found))
    raise typer.Exit(0 if found else 1)


def _facts(traced: Traced) -> dict[str, Any]:
    """A record as a JSON object."""
    from worker.mapping.trying.preview import answer

    record = traced.record
    dead_letter = None
    if traced.dead_letter is not None:
        letter, state = traced.dead_letter
        dead_letter = {"handle": letter.handle, "state": state.name.lower(), "reason": letter.reason}
    return {
        "record": _name(record),
        "timestamp": _time(record),
        "in_topic": traced.in_topic,
        "finished": traced.is_finished,
        "committed": traced.committed,
        "rule": traced.explanation.rule,
        **answer(traced.explanation),
        "dead_letter": dead_letter,
    }


def _print(traced: Traced, group: str) -> None:
    typer.secho(_name(traced.record), bold=True)
    print_line(f"time     {_time(traced.record) or 'none'}", 2)
    if not traced.in_topic:
        print_line("record   no longer in its topic; this is the one in its dead letter", 2)
    committed = "nothing in its partition" if traced.committed is None else f"{traced.committed:,}"
    state = "finished" if traced.is_finished else "not finished"
    color = "green" if traced.is_finished else "yellow"
    print_line(f"state    {state}: the group {group} has committed {committed}", 2, fg=color)
    _print_dead_letter(traced)
    print_line(f"rule     {traced.explanation.rule or 'none'} (current mapping)", 2)
    _print_outcome(traced.explanation)


def _print_dead_letter(traced: Traced) -> None:
    if traced.dead_letter is None:
        print_line("dlq      no dead letter", 2)
        return
    letter, state = traced.dead_letter
    print_line(f"dlq      {letter.handle} {state.name.lower()}: {letter.reason}", 2, fg="red")


def _print_outcome(explanation: Explanation) -> None:
    from worker.mapping.trying.differences import title

    for call in explanation.calls:
        print_line(f"call     {printable(title(call))}", 2)
        print_line(f"messageId {call['messageId']}", 11)
    if explanation.ignored is not None:
        print_line(f"ignored  {explanation.ignored}", 2)
    if explanation.unknown is not None:
        print_line(f"calls    cannot be told: {explanation.unknown}", 2, fg="yellow")
    if rejected := explanation.rejected:
        print_line(f"rejected {rejected.stage}: {rejected.reason}: {rejected.detail}", 2, fg="red")


def _print_searched(searched: list[str], found: int) -> None:
    typer.echo(f"{found:,} found. Searched:" if found else "Nothing found. Searched:", err=True)
    for line in dict.fromkeys(searched):  # an id is looked for twice, by its offset and in recent records
        print_line(line, 2, err=True)


def _name(record: Record) -> str:
    return f"{record.topic()}:{record.partition()}:{record.offset()}"


def _time(record: Record) -> str | None:
    from worker.core.record_reading import record_millis
    from worker.core.timestamps import from_millis

    millis = record_millis(record)
    return None if millis is None else from_millis(millis)
