"""Fetches the schemas that a command's records need, when they are needed: commands may wait, unlike a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from worker.documents.problems import ConfigError
from worker.mapping.explaining import Explanation
from worker.pipeline.ports import SchemaUnavailable

if TYPE_CHECKING:
    from worker.core.message_id import MessageIds
    from worker.core.records import Record
    from worker.formats.schemas import NoSchema, Schema, SchemaId
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


def fetch_schemas(settings: Settings, mappings: Mappings) -> Mappings:
    """Let mappings fetch the schemas of records that they explain.

    Returns:
        The same mappings. Where a schema is needed, they raise `SchemaUnavailable` with the registry's address, or
        `ConfigError` if the settings have no registry.
    """

    def fetch(ids: Sequence[SchemaId]) -> None:
        if not ids:
            return
        if settings.schema_registry.url is None:
            problem = mappings.needs_registry
            raise ConfigError([] if problem is None else [problem])
        for id_, found in fetched_now(settings, ids):
            mappings.schemas.put(id_, found)

    mappings.fetch_with(fetch)
    return mappings


def explained(mappings: Mappings, record: Record, ids: MessageIds) -> Explanation:
    """What the mapping makes of a record; where its schema cannot be fetched now, why that cannot be told."""
    try:
        return mappings.explain(record, ids)
    except SchemaUnavailable as error:
        return Explanation(unknown=f"schema registry: {error}")
    except ConfigError as error:
        return Explanation(unknown="; ".join(map(str, error.problems)))


def fetched_now(settings: Settings, ids: Sequence[SchemaId]) -> list[tuple[SchemaId, Schema | NoSchema]]:
    """The schemas with these ids, from the registry of the settings. Raises `SchemaUnavailable`."""
    return asyncio.run(_fetched(settings, ids)) if ids else []


async def _fetched(settings: Settings, ids: Sequence[SchemaId]) -> list[tuple[SchemaId, Schema | NoSchema]]:
    from worker.adapters.schema_registry.client import SchemaRegistryClient  # noqa: PLC0415 - most need none

    client = SchemaRegistryClient(settings.schema_registry)
    try:
        return [(id_, await client.fetch(id_)) for id_ in ids]
    except SchemaUnavailable as error:
        detail = f"{settings.schema_registry.url}: {error}"
        raise SchemaUnavailable(detail, unauthorized=error.unauthorized) from None
    finally:
        await client.close()
