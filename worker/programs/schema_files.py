"""`check --schema FILE`: compares mapping files with a schema in a file, without a registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from worker.documents.problems import ConfigError, Problem
from worker.formats.describing import UndescribedError, describe
from worker.formats.formats import MissingExtraError
from worker.formats.schema_files import SCHEMA_FILES, read_schema
from worker.mapping.files.lint.schemas import Version, schema_findings

if TYPE_CHECKING:
    from worker.formats.schemas import Schema
    from worker.mapping.files.rules import MappingFile
    from worker.mapping.mappings import Mappings


def compared_with_files(mappings: Mappings, given: Sequence[str]) -> list[Problem]:
    """What schema files contradict in the mapping files.

    A file is compared with the mapping files that read its format, or with the only one that there is; after
    `TOPIC=` with the one that maps this topic.

    Args:
        mappings: the mapping files.
        given: names of files, perhaps with a topic: `orders=schemas/order.avsc`.

    Raises:
        ConfigError: a file cannot be used, or no mapping file reads it.
    """
    found: list[Problem] = []
    for each in given:
        topic, equals, name = each.partition("=")
        path = Path(name if equals else each)
        format_ = _format_of(path)
        schema = read_schema(path, format_)
        for file in _files_for(mappings, topic if equals else None, format_, path):
            found += _compared(file, schema, path)
    return found


def compared_with_own(mappings: Mappings) -> list[Problem]:
    """What the schema files that mapping files name themselves contradict in them."""
    found: list[Problem] = []
    for file in mappings.files:
        if (schema := file.encodings.value.schema) is not None:
            found += _compared(file, schema, Path(str(file.document.data["schema"])))
    return found


def _format_of(path: Path) -> str:
    suffix = path.suffix.lower()
    for format_, readers in SCHEMA_FILES.items():
        if suffix in readers:
            return format_
    known = [each for readers in SCHEMA_FILES.values() for each in readers]
    raise ConfigError([Problem(f"a schema is a file {', '.join(known)}", str(path))])


def _files_for(mappings: Mappings, topic: str | None, format_: str, path: Path) -> Iterator[MappingFile]:
    if topic is not None:
        if said := mappings.unknown_topic(topic):
            raise ConfigError([Problem(said, str(path))])
        found = [mappings.file_of(topic)]
    elif len(mappings.files) == 1:
        found = [*mappings.files]
    else:
        found = [file for file in mappings.files if file.encodings.value.format == format_]
    if not found:
        hint = f"name one of its topics: --schema TOPIC={path}"
        raise ConfigError([Problem(f"no mapping file has `format: {format_}`", str(path), hint=hint)])
    yield from (file for file in found if file is not None)


def _compared(file: MappingFile, schema: Schema, path: Path) -> list[Problem]:
    try:
        described = describe(schema, file.encodings.value.message)
    except UndescribedError as error:
        raise ConfigError([Problem(f"the schema is of no use: {error}", str(path))]) from None
    except MissingExtraError as error:
        raise ConfigError([missing_extra(error, str(path))]) from None
    return schema_findings(file.document, {path.name: [Version(path.name, described)]})


def missing_extra(error: MissingExtraError, place: str | None = None) -> Problem:
    """What to install for a format."""
    hint = f"pip install 'customerio-pipelines-worker[{error.extra}]'"
    return Problem(f"this needs the extra '{error.extra}'", place, hint=hint)
