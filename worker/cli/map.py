"""`map`: a dry run of the mappings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.map_headers import headers_of
from worker.cli.map_input import STANDARD_INPUT, read_values, records_of
from worker.cli.options import ConfigOption, chosen_config, coordinates, is_coordinates, load

if TYPE_CHECKING:
    from worker.core.message_id import MessageIds
    from worker.core.records import Partition, Record
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


def map_events(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="JSON events, whatever the topic's format: one a line, one document, or an array. `-`, or no FILE, "
            "is standard input. If there is no file TOPIC:PARTITION:OFFSET, that record is read from Kafka.",
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
        typer.Option(
            metavar="NAME=VALUE",
            help="A header for every record; repeatable. In the headers of schema ids (__value_schema_id, "
            "apicurio.value.contentId, ...) a number, a GUID, or 0x and bytes.",
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="FILE, or standard input, holds the bytes of one record's value, in the topic's format.",
        ),
    ] = False,
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
        bool,
        typer.Option(
            "--explain", help="Show step by step which rules are tried and what each expression finds."
        ),
    ] = False,
    diff: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD_MAPPING",
            exists=True,
            help="Show what changes for the events compared with this older mapping file, or folder of them.",
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
    if sum(map(bool, (file, from_topic, source))) > 1:
        raise typer.BadParameter("use only one of FILE, --from-topic and --source")
    if sum(map(bool, (diff, explain, source))) > 1:
        raise typer.BadParameter("use only one of --diff, --explain and --source")
    at = _coordinates_if_no_file(file)
    settings, mappings = load(path, needs_key=False)
    if at or from_topic:
        topic = at[0][0] if at else str(from_topic)
        _check_topic(mappings, topic)
        records, ids = _from_kafka(settings, topic, limit, at)
    else:
        topic = _chosen_topic(mappings, topic)
        if source:
            _print_source(mappings, topic)
            return
        records, ids = _from_input(file, topic, key, header or [], raw=raw)
    written = not (raw or at or from_topic)
    from worker.cli.verdicts import MappedRecords, print_verdicts

    mapped = MappedRecords(
        mappings.taking_json() if written else mappings, records, ids, of_kafka=bool(at or from_topic)
    )
    if diff is not None:
        from worker.cli.map_diff import old_mappings, print_differences

        rejected = print_differences(mapped, old_mappings(settings, diff, topic, taking_json=written))
    elif explain:
        from worker.cli.explaining import print_all_steps

        rejected = print_all_steps(mapped)
    else:
        rejected = print_verdicts(mapped)
    raise typer.Exit(1 if rejected else 0)


def _coordinates_if_no_file(file: str | None) -> tuple[Partition, int] | None:
    """The record that an argument names; None for a file and for standard input."""
    if file is not None and Path(file).is_dir():
        raise typer.BadParameter(f"'{file}' is a folder; FILE holds events")
    if file is None or file == STANDARD_INPUT or Path(file).exists():
        return None
    if is_coordinates(file):
        return coordinates(file, "FILE")
    raise typer.BadParameter(f"there is no file '{file}', and it is not TOPIC:PARTITION:OFFSET")


def _print_source(mappings: Mappings, topic: str) -> None:
    from worker.mapping.trying.preview import PREVIEW_IDS

    typer.echo(mappings.source(topic, PREVIEW_IDS), nl=False)


def _chosen_topic(mappings: Mappings, topic: str | None) -> str:
    """The topic to use. A usage error lists the topics."""
    known = mappings.subscriptions
    if topic is None and len(known) == 1 and not known[0].startswith("^"):
        return known[0]
    if topic is None:
        raise typer.BadParameter(f"which topic? --topic takes one of: {', '.join(known)}")
    _check_topic(mappings, topic)
    return topic


def _check_topic(mappings: Mappings, topic: str) -> None:
    """A topic that no mapping names is a usage error with near matches."""
    if said := mappings.unknown_topic(topic):
        raise typer.BadParameter(said)


def _from_input(
    file: str | None, topic: str, key: str | None, header: Iterable[str], *, raw: bool
) -> tuple[Iterable[Record], MessageIds]:
    from worker.mapping.trying.preview import PREVIEW_IDS

    return records_of(read_values(file, raw=raw), topic, key, headers_of(header), raw=raw), PREVIEW_IDS


def _from_kafka(
    settings: Settings, topic: str, limit: int, at: tuple[Partition, int] | None
) -> tuple[Iterable[Record], MessageIds]:
    from worker.cli.map_kafka import newest_records, one_record

    return newest_records(settings, topic, limit) if at is None else one_record(settings, at)
