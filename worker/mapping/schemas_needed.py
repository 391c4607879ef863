"""Which schemas must be fetched before the records of a topic can be mapped."""

from __future__ import annotations

from collections.abc import Sequence

from worker.core.records import Record
from worker.formats.format import NeedsSchemas
from worker.formats.schemas import SchemaId
from worker.mapping.files.rules import MappingFile


class SchemasNeeded:
    """Finds the schemas that records need, of their values and of the keys that rules read.

    Args:
        formats: those of them that need schemas.
    """

    def __init__(self, formats: Sequence[NeedsSchemas]) -> None:
        self._formats = formats

    def missing(self, records: Sequence[Record]) -> dict[int, list[SchemaId]]:
        """The records that cannot be decoded yet, by their index, and the ids of the schemas that are not there."""
        missing: dict[int, list[SchemaId]] = {}
        for each in self._formats:
            for index, id_ in each.missing(records).items():
                missing.setdefault(index, []).append(id_)
        return missing


def schemas_needed(file: MappingFile) -> SchemasNeeded | None:
    """What a file's records need from a schema registry; None for nothing."""
    formats = file.encodings.with_registry(keys=_reads_keys(file))
    return SchemasNeeded(formats) if formats else None


def _reads_keys(file: MappingFile) -> bool:
    return any(
        rule.mapper is not None
        or (rule.when is not None and rule.when.uses_key)
        or any(each.uses_key for call in rule.calls for _, each in call.expressions())
        for rule in file.rules
    )
