"""Drafts a mapping from the records of a real topic, and writes it with fixtures that pass."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from worker.adapters.kafka.reader import KafkaReader
from worker.core.reasons import Rejected
from worker.core.record_reading import read_headers
from worker.formats.json_format import JsonFormat
from worker.mapping.drafting.draft import draft
from worker.mapping.drafting.fixtures import fixtures
from worker.mapping.drafting.wrapping import Decoded, unwrapped
from worker.mapping.mappings import Mappings
from worker.programs.starter import starter_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.records import Record
    from worker.mapping.drafting.sample import Sample
    from worker.mapping.drafting.wrapping import Wrapping
    from worker.settings import Settings


class DraftError(Exception):
    """No mapping can be drafted; the message says why and what to do."""


def read_sample(settings: Settings, topic: str, limit: int) -> list[Record]:
    """The newest records of a topic. Joins no group. Raises `SourceFailed`."""
    with closing(KafkaReader(settings)) as reader:
        return reader.latest(topic, limit)


def write_draft(folder: Path, topic: str, records: Sequence[Record]) -> list[Path]:
    """Write a mapping and fixtures, and settings if there are none. Replaces no file.

    Args:
        folder: of `worker.yaml`.
        topic: of the records.
        records: the newest ones.

    Returns:
        The files that were written.

    Raises:
        DraftError: there are no events, or a file exists.
    """
    mapping_file, fixture_file = folder / "mappings" / f"{topic}.yaml", folder / "tests" / f"{topic}.yaml"
    for path in (mapping_file, fixture_file):
        if path.exists():
            raise DraftError(f"{path} already exists; nothing was written")
    drafted = draft(topic, *_samples(topic, records))
    written = _settings_if_missing(folder)
    for path in (mapping_file, fixture_file):
        path.parent.mkdir(parents=True, exist_ok=True)
    mapping_file.write_text(drafted.text)
    mappings = Mappings.load(
        [str(mapping_file)],
        mapper_path=[str(folder)],
        base=folder,
        dead_letter_topic="",
    )
    fixture_file.write_text(fixtures(drafted, topic, mappings.taking_json()))
    return [*written, mapping_file, fixture_file]


def _samples(topic: str, records: Sequence[Record]) -> tuple[list[Sample], Wrapping]:
    if not records:
        raise DraftError(f"{topic} has no records to begin from")
    decoded: list[Decoded] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            decoded.append(_decoded(record))
        except Rejected as rejection:
            rejected.append(rejection)
    samples, wrapping, others = unwrapped(decoded)
    rejected += others
    if not any(sample.event for sample in samples):
        why = f"{rejected[0].reason}: {rejected[0].detail}" if rejected else "all values are null"
        raise DraftError(f"none of the {len(records):,} newest records of {topic} is an event: {why}")
    return samples, wrapping


def _decoded(record: Record) -> Decoded:
    value = record.value()
    return Decoded(None if value is None else JsonFormat().decode(value), record.key(), read_headers(record))


def _settings_if_missing(folder: Path) -> list[Path]:
    """Write the starter's settings, with the schemas that editors use for them."""
    names = ["worker.yaml", "schemas/worker.json", "schemas/mapping.json"]
    missing = [] if (folder / names[0]).exists() else [name for name in names if not (folder / name).exists()]
    for name in missing:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(starter_folder() / name, folder / name)
    return [folder / name for name in missing]
