"""The warnings of `check` about mappings that are legal but probably wrong, judged by their text and the fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from worker.documents.document import Document, UnsupportedYAML, parse
from worker.documents.files import read_file
from worker.documents.problems import ConfigError, Problem
from worker.mapping.files.lint import Sample, findings
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.loading import mapping_paths
from worker.mapping.trying.fixtures import read_fixtures
from worker.settings import SettingsError, load_settings


def lint(config: Path, environ: Mapping[str, str], fixture_files: Sequence[Path]) -> list[Problem]:
    """The findings of all mapping files. A file that cannot be read is left out: loading it reports why.

    Args:
        config: worker.yaml.
        environ: for `${NAME}` and `WORKER__SECTION__KEY`.
        fixture_files: the files of fixtures.
    """
    try:
        settings = load_settings(config, environ, needs_key=False)
    except SettingsError as error:
        settings = error.remaining
    except ConfigError:
        return []
    paths = {
        path.resolve(): path for each in settings.mappings for path in mapping_paths(each, settings.base)
    }
    documents = [document for path in paths.values() for document in _document(path)]
    return findings(documents, [sample for file in fixture_files for sample in _samples(file)])


def _document(path: Path) -> Iterator[Document]:
    try:
        yield parse(read_file(path), str(path))
    except UnsupportedYAML as error:
        yield error.document
    except ConfigError:
        return


def _samples(file: Path) -> Iterator[Sample]:
    try:
        fixtures = read_fixtures(read_file(file), str(file))
    except ConfigError:
        return
    for fixture in fixtures:
        value = fixture.record.value()
        event = None if value is None else orjson.loads(value)
        yield Sample(
            fixture.record.topic(), event, kafka_fields(fixture.record), "rejected" in fixture.expected
        )
