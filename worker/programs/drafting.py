"""Drafts a mapping from the records of a real topic, and writes it with fixtures that pass."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from worker.adapters.kafka.reader import KafkaReader
from worker.core.reasons import Rejected
from worker.documents.problems import ConfigError
from worker.formats.formats import MissingExtraError
from worker.formats.schemas import Schemas
from worker.mapping.drafting.draft import draft
from worker.mapping.drafting.fixtures import fixtures
from worker.mapping.drafting.formats import Found, found_format
from worker.mapping.drafting.wrapping import Decoded, unwrapped
from worker.mapping.mappings import Mappings
from worker.programs.fetching import fetched_now
from worker.programs.schema_files import missing_extra
from worker.programs.starter import starter_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.core.records import Record
    from worker.formats.schemas import SchemaId
    from worker.mapping.drafting.sample import Sample
    from worker.mapping.drafting.wrapping import Wrapping
    from worker.settings import Settings


class DraftError(Exception):
    """No mapping can be drafted; the message says why and what to do."""


def read_sample(settings: Settings, topic: str, limit: int) -> list[Record]:
    """The newest records of a topic. Joins no group. Raises `SourceFailed`."""
    with closing(KafkaReader(settings)) as reader:
        return reader.latest(topic, limit)


def write_draft(
    folder: Path, topic: str, records: Sequence[Record], settings: Settings | None = None
) -> list[Path]:
    """Write a mapping and fixtures, and settings if there are none. Replaces no file.

    Args:
        folder: of `worker.yaml`.
        topic: of the records.
        records: the newest ones.
        settings: with the schema registry, if there is one.

    Returns:
        The files that were written.

    Raises:
        DraftError: there are no events, or a file exists.
        SchemaUnavailable: the schema registry does not answer.
        ConfigError: a library for the format is not installed.
    """
    mapping_file, fixture_file = folder / "mappings" / f"{topic}.yaml", folder / "tests" / f"{topic}.yaml"
    for path in (mapping_file, fixture_file):
        if path.exists():
            raise DraftError(f"{path} already exists; nothing was written")
    found = _found_format(settings, records)
    samples, wrapping = _samples(topic, records, found)
    drafted = draft(topic, samples, replace(wrapping, head=[*found.lines, *wrapping.head]))
    written = _settings_if_missing(folder, settings)
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


def _found_format(settings: Settings | None, records: Sequence[Record]) -> Found:
    schemas = Schemas()
    has_registry = settings is not None and settings.schema_registry.url is not None

    def fetch(ids: Sequence[SchemaId]) -> None:
        assert settings is not None, "there is a registry"
        for id_, schema in fetched_now(settings, ids):
            schemas.put(id_, schema)

    try:
        return found_format(records, schemas, fetch if has_registry else None)
    except MissingExtraError as error:
        raise ConfigError([missing_extra(error)]) from None


def _samples(topic: str, records: Sequence[Record], found: Found) -> tuple[list[Sample], Wrapping]:
    if not records:
        raise DraftError(f"{topic} has no records to begin from")
    decoded: list[Decoded] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            decoded.append(found.decoded(record))
        except Rejected as rejection:
            rejected.append(rejection)
    samples, wrapping, others = unwrapped(decoded)
    rejected += others
    if not any(sample.event for sample in samples):
        why = f"{rejected[0].reason}: {rejected[0].detail}" if rejected else "all values are null"
        if any((record.value() or b" ")[0] == 0 for record in records):
            why += " (values begin as with the id of a schema: set schema_registry.url)"
        raise DraftError(f"none of the {len(records):,} newest records of {topic} is an event: {why}")
    return samples, wrapping


_NO_REGISTRY = "schema_registry:\n  url: null\n"


def _settings_if_missing(folder: Path, settings: Settings | None) -> list[Path]:
    """Write the starter's settings, with the registry that was used, and the schemas that editors use for them."""
    names = ["worker.yaml", "schemas/worker.json", "schemas/mapping.json"]
    missing = [] if (folder / names[0]).exists() else [name for name in names if not (folder / name).exists()]
    for name in missing:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(starter_folder() / name, folder / name)
    url = None if settings is None else settings.schema_registry.url
    if missing and url is not None and "@" not in url:
        path = folder / names[0]
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace(_NO_REGISTRY, f"schema_registry:\n  url: {json.dumps(url)}\n"), encoding="utf-8"
        )
    return [folder / name for name in missing]
