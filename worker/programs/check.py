"""`check --connect`: looks at each system that a worker needs. It changes nothing and joins no group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.adapters.findings import Finding
from worker.adapters.kafka.inspection.kafka import look_at_kafka
from worker.adapters.pipelines_api.inspection import look_at_api
from worker.adapters.schema_registry.inspection import look_at_registry
from worker.programs.schema_versions import look_at_schemas

if TYPE_CHECKING:
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings


async def look_around(settings: Settings, mappings: Mappings) -> list[Finding]:
    """Look at every system: each finding says what was found, and what would keep a worker from delivering.

    A system that cannot be reached does not keep the others from being looked at.
    """

    def kafka() -> list[Finding]:
        return list(look_at_kafka(settings, mappings.subscriptions, mappings.topic_problem))

    of_kafka, of_registry, of_api = await asyncio.gather(
        asyncio.to_thread(kafka), look_at_registry(settings), look_at_api(settings)
    )
    of_schemas = [] if of_registry.problems else await look_at_schemas(settings, mappings)
    return [*of_kafka, of_registry, *of_schemas, *of_api]
