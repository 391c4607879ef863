"""`map`: a dry run of the mappings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import ConfigOption, chosen_config, load

if TYPE_CHECKING:
    from worker.core.records import Record
    from worker.mapping.mappings import Mappings


def map_events(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="One JSON event a line. [default: standard input]",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="The topic of the events; required if the mappings name several."),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="The key for every record.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A header for every record; repeatable."),
    ] = None,
    from_topic: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC", help="Read real records from this topic. Joins no group and commits nothing."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --from-topic: how many of the newest records.")
    ] = 10,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC:PARTITION:OFFSET", help="Show step by step how one real record becomes calls."
        ),
    ] = None,
    source: Annotated[
        bool,
        typer.Option("--source", help="Print the Python function that the topic's mapping is compiled to."),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Show what would be sent for events, one JSON line each. Nothing is sent. Exits with 1 if any is rejected."""
    path = chosen_config(context, config)
    if sum(map(bool, (file, from_topic, explain, source))) > 1:
        raise typer.BadParameter("use only one of FILE, --from-topic, --explain and --source")
    if from_topic or explain:
        from worker.cli.map_kafka import map_from_kafka

        rejected = map_from_kafka(path, from_topic, limit, explain)
    else:
        _, mappings = load(path, needs_key=False)
        topic = _chosen_topic(mappings, topic)
        if source:
            _print_source(mappings, topic)
            return
        rejected = _map_lines(mappings, _records(_lines(file), topic, key, _headers(header or [])))
    raise typer.Exit(1 if rejected else 0)


def _print_source(mappings: Mappings, topic: str) -> None:
    from worker.core.message_id import MessageIds
    from worker.mapping.trying.preview import PREVIEW_CLUSTER

    typer.echo(mappings.source(topic, MessageIds(PREVIEW_CLUSTER)), nl=False)


def _chosen_topic(mappings: Mappings, topic: str | None) -> str:
    """The topic to use. A usage error lists the topics."""
    known = mappings.subscriptions
    if topic is None and len(known) == 1 and not known[0].startswith("^"):
        return known[0]
    if topic is None:
        raise typer.BadParameter(f"which topic? --topic takes one of: {', '.join(known)}")
    if mappings.file_of(topic) is None:
        raise typer.BadParameter(f"no mapping names the topic '{topic}'; there are: {', '.join(known)}")
    return topic


def _headers(options: Iterable[str]) -> list[tuple[str, bytes | None]]:
    headers: list[tuple[str, bytes | None]] = []
    for option in options:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise typer.BadParameter("a header is NAME=VALUE", param_hint="--header")
        headers.append((name, value.encode()))
    return headers


def _lines(file: Path | None) -> Iterator[bytes]:
    """The lines that are not blank, without their ends."""
    source = file.open("rb") if file else sys.stdin.buffer
    with source:
        for line in source:
            if content := line.strip():
                yield content


def _records(
    lines: Iterable[bytes], topic: str, key: str | None, headers: list[tuple[str, bytes | None]]
) -> Iterator[Record]:
    """The lines as records, as if they were produced now, one after the other."""
    from time import time

    from worker.mapping.trying.preview import PreviewRecord

    key_bytes = key.encode() if key is not None else None
    for offset, line in enumerate(lines):
        yield PreviewRecord(topic, line, key_bytes, headers, int(time() * 1000), (0, offset))


def _map_lines(mappings: Mappings, records: Iterable[Record]) -> int:
    """Print the result of each record; returns how many were rejected."""
    from itertools import takewhile

    from worker.cli.streams import output_is_gone
    from worker.cli.verdicts import print_verdict
    from worker.core.message_id import MessageIds
    from worker.mapping.trying.preview import PREVIEW_CLUSTER

    ids = MessageIds(PREVIEW_CLUSTER)
    wanted = takewhile(lambda _: not output_is_gone(), records)
    return sum(print_verdict(mappings.explain(record, ids)) for record in wanted)
