"""Compares mapping files with every version of their topics' schemas in the registry, for `check --connect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.adapters.findings import Finding, count
from worker.adapters.schema_registry.client import SchemaRegistryClient
from worker.adapters.schema_registry.subjects import Subject, Subjects, subjects_of
from worker.formats.describing import UndescribedError, describe
from worker.formats.description import ANYTHING
from worker.formats.schemas import NoSchema
from worker.mapping.files.lint.schemas import Version, schema_findings
from worker.pipeline.ports import SchemaUnavailable

if TYPE_CHECKING:
    from worker.mapping.files.rules import MappingFile
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


async def look_at_schemas(settings: Settings, mappings: Mappings) -> list[Finding]:
    """What was found of each mapping file whose topics have schemas in the registry."""
    files = [file for file in mappings.files if file.encodings.value.format != "json" and _by_registry(file)]
    url = settings.schema_registry.url
    if not files or url is None:
        return []
    client = SchemaRegistryClient(settings.schema_registry)
    try:
        subjects = Subjects(client, url)
        names = await subjects.names()
        return [finding for file in files for finding in await _of_file(file, subjects, names)]
    except SchemaUnavailable as error:
        problem = settings.problem_at(("schema_registry", "url"), f"schemas cannot be read: {error}")
        return [Finding("schemas", "cannot be read", {}, (problem,))]
    finally:
        await client.close()


def _by_registry(file: MappingFile) -> bool:
    return file.encodings.value.schema is None and file.encodings.value.format in {"avro", "protobuf"}


async def _of_file(file: MappingFile, subjects: Subjects, names: Sequence[str]) -> list[Finding]:
    """The findings of a file: one for each subject; the rules are compared with all of them together."""
    found: dict[str, Subject] = {}
    without = []
    for topic in file.topics:
        wanted = subjects_of(topic, names)
        without += [] if wanted else [topic]
        for name in wanted:
            if name not in found:
                found[name] = await subjects.read(name)
    of = {name: list(_versions(subject, file)) for name, subject in found.items()}
    problems = schema_findings(file.document, of)
    findings = [_finding(subject, of[name], file) for name, subject in found.items()]
    findings += [
        Finding(f"schema of {topic}", f"no subject {topic}-value: not compared") for topic in without
    ]
    if findings and problems:
        rules = Finding(f"rules of {file.document.file}", _contradictions(len(problems)), {}, tuple(problems))
        findings.append(rules)
    return findings


def _contradictions(number: int) -> str:
    return f"the schemas contradict {count(number, 'place')}"


def _versions(subject: Subject, file: MappingFile) -> Iterator[Version]:
    for number, schema in subject.versions:
        if isinstance(schema, NoSchema):
            continue
        try:
            described = describe(schema, file.encodings.value.message)
        except UndescribedError:
            continue
        if described is not ANYTHING:
            yield Version(f"version {number}", described)


def _finding(subject: Subject, compared: Sequence[Version], file: MappingFile) -> Finding:
    facts = {"versions": [number for number, _ in subject.versions], "file": file.document.file}
    text = count(subject.total, "version")
    if len(compared) < subject.total:
        text += f", {len(compared):,} of which were compared with {file.document.file}"
    else:
        text += f", compared with {file.document.file}"
    return Finding(f"schema {subject.name}", text, facts)
