"""The records of Kafka that `map` shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from worker.adapters.kafka.reader import KafkaReader
from worker.cli.dlq_words import plural
from worker.cli.lines import print_line
from worker.core.message_id import MessageIds
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from worker.adapters.kafka.scan import Bounds
    from worker.core.records import Partition, Record
    from worker.settings import Settings


def newest_records(settings: Settings, topic: str, limit: int) -> tuple[list[Record], MessageIds]:
    """The newest records of a topic, and what makes the ids of its cluster."""
    with _reader(settings) as reader:
        return reader.latest(topic, limit), MessageIds(reader.cluster_id())


def one_record(settings: Settings, at: tuple[Partition, int]) -> tuple[list[Record], MessageIds]:
    """The record at these coordinates, and what makes the ids of its cluster."""
    (topic, partition), offset = at
    with _reader(settings) as reader:
        bounds, ids = reader.bounds(topic), MessageIds(reader.cluster_id())
        first, end = bounds.get(partition, (0, 0))
        record = reader.record(*at) if first <= offset < end else None
    if record is None:
        print_line(
            f"no record at {topic}:{partition}:{offset}: {_what_exists(bounds, topic, partition)}", err=True
        )
        raise typer.Exit(1)
    return [record], ids


def _what_exists(bounds: Bounds, topic: str, partition: int) -> str:
    if partition not in bounds:
        return f"{topic} has {plural(len(bounds), 'partition')}, numbered from 0"
    first, end = bounds[partition]
    return f"{topic}:{partition} has the offsets from {first:,} up to {end:,}"


@contextmanager
def _reader(settings: Settings) -> Iterator[KafkaReader]:
    """A reader of the brokers; a failure ends the command."""
    try:
        reader = KafkaReader(settings)
        try:
            yield reader
        finally:
            reader.close()
    except SourceFailed as error:
        print_line(f"kafka: {error}", err=True)
        raise typer.Exit(1) from None
