"""`map` of records from Kafka."""

from __future__ import annotations

from pathlib import Path

import typer

from worker.adapters.kafka.reader import KafkaReader
from worker.cli.options import coordinates, load
from worker.cli.verdicts import print_explanation, print_record, print_verdict
from worker.core.message_id import MessageIds
from worker.pipeline.ports import SourceFailed


def map_from_kafka(path: Path, topic: str | None, limit: int, explained: str | None) -> int:
    """Print the results of real records; returns how many were rejected."""
    settings, mappings = load(path, needs_key=False)
    wanted = coordinates(explained, "--explain") if explained else None
    try:
        reader = KafkaReader(settings)
        try:
            ids = MessageIds(reader.cluster_id())
            if wanted is None:
                return sum(
                    print_verdict(mappings.explain(each, ids)) for each in reader.latest(topic or "", limit)
                )
            record = reader.record(*wanted)
        finally:
            reader.close()
    except SourceFailed as error:
        typer.echo(f"kafka: {error}", err=True)
        raise typer.Exit(1) from None
    if record is None:
        typer.echo(f"no record at {explained}", err=True)
        raise typer.Exit(1)
    explanation = mappings.explain(record, ids)
    print_record(record)
    print_explanation(explanation)
    return explanation.rejected is not None
