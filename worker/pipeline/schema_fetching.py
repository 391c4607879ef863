"""Fetches the schemas that records need: in the order of their records, a few at a time, again and again if it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from worker.formats.schemas import NoSchema
from worker.pipeline.ports import SchemaRegistry, SchemaUnavailable
from worker.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.formats.schemas import Schema, SchemaId, Schemas
    from worker.mapping.schemas_needed import SchemasNeeded
    from worker.telemetry.telemetry import Telemetry

AT_ONCE = 4
"""Requests at the same time: a registry answers in some milliseconds, and topics have few schemas."""

MOST_ARRIVED = 200
"""How many schemas may be fetched before the records that wait for them are mapped: well below `MAX_SCHEMAS`, so that
none is dropped before it was used."""

RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0
"""How long to wait after a failure: at first, and at most. It doubles with each failure in a row."""

FORGET_SECONDS = 60.0
"""How long it is believed that the registry does not know an id: a schema may be registered after its first record."""


class SchemaFetcher:
    """Fetches schemas in the background.

    Args:
        registry: where they are.
        schemas: where they are put.
        needed: what the records of a topic need; None for nothing.
        telemetry: notified of failures.

    Attributes:
        needed: as given.
    """

    def __init__(
        self,
        registry: SchemaRegistry,
        schemas: Schemas,
        needed: Callable[[str], SchemasNeeded | None],
        telemetry: Telemetry,
    ) -> None:
        self._registry = registry
        self._schemas = schemas
        self._telemetry = telemetry
        self._wanted: dict[SchemaId, None] = {}  # in order
        self._arrived: list[SchemaId] = []
        self._changed = Wakeup()
        self._failures = 0
        self.needed = needed
        self._unavailable: dict[SchemaId, SchemaUnavailable] = {}

    @property
    def is_unauthorized(self) -> bool:
        """Whether the registry refuses the login."""
        return any(each.unauthorized for each in self._unavailable.values())

    def problems(self) -> list[dict[str, str]]:
        """Why records wait, for `/readyz`: a schema is needed and cannot be fetched."""
        if not self._unavailable:
            return []
        last = list(self._unavailable.values())[-1]
        if self.is_unauthorized:
            return [{"reason": "SCHEMA_REGISTRY_UNAUTHORIZED", "detail": str(last)}]
        return [{"reason": "SCHEMA_REGISTRY_UNREACHABLE", "detail": str(last)}]

    def want(self, ids: Iterable[SchemaId]) -> None:
        """Fetch these schemas, after those that were wanted before."""
        new = [id_ for id_ in ids if id_ not in self._wanted]
        if new:
            self._wanted.update(dict.fromkeys(new))
            self._changed.notify()

    def keep(self, ids: Iterable[SchemaId]) -> None:
        """Stop fetching all schemas but these: no record waits for the others any more."""
        kept = set(ids)
        self._wanted = {id_: None for id_ in self._wanted if id_ in kept}
        self._unavailable = {id_: each for id_, each in self._unavailable.items() if id_ in kept}

    def take_arrived(self) -> list[SchemaId]:
        """The schemas that were fetched since the last call."""
        arrived, self._arrived = self._arrived, []
        if arrived:
            self._changed.notify()
        return arrived

    async def run(self) -> None:
        """Fetch what is wanted."""
        while True:
            while not self._wanted or len(self._arrived) >= MOST_ARRIVED:
                await self._changed.wait()
            fetched = await asyncio.gather(*(self._fetch(id_) for id_ in self._next()))
            self._failures = 0 if any(fetched) else self._failures + 1
            if self._failures:
                delay = min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2 ** (self._failures - 1))
                await asyncio.sleep(RETRY_SECONDS)
                await self._changed.wait(delay - RETRY_SECONDS)  # or until another schema is wanted

    def _next(self) -> list[SchemaId]:
        """The schemas to fetch at once: new ones first, and always one of those that failed."""
        new = [id_ for id_ in self._wanted if id_ not in self._unavailable]
        failed = [id_ for id_ in self._wanted if id_ in self._unavailable]
        return [*new[: AT_ONCE - bool(failed)], *failed][:AT_ONCE]

    async def _fetch(self, id_: SchemaId) -> bool:
        """Fetch a schema; False if it cannot be fetched now."""
        try:
            schema = await self._registry.fetch(id_)
        except SchemaUnavailable as unavailable:
            self._failed(id_, unavailable)
            return False
        self._unavailable.pop(id_, None)
        self._put(id_, schema)
        self._wanted.pop(id_, None)
        self._arrived.append(id_)
        return True

    def _put(self, id_: SchemaId, schema: Schema | NoSchema) -> None:
        self._schemas.put(id_, schema)
        if isinstance(schema, NoSchema):
            asyncio.get_running_loop().call_later(FORGET_SECONDS, self._schemas.drop, id_)

    def _failed(self, id_: SchemaId, unavailable: SchemaUnavailable) -> None:
        """Try it again after all others: a schema that the registry fails on must not keep others waiting."""
        if id_ in self._wanted:
            del self._wanted[id_]
            self._wanted[id_] = None
            self._unavailable[id_] = unavailable
        self._telemetry.schema_registry_failed(str(unavailable))
