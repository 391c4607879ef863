"""The subjects of a schema registry and their versions, for `check --connect`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from worker.adapters.schema_registry.client import SchemaRegistryClient
from worker.formats.schemas import NoSchema, Schema
from worker.mapping.files.topics import matches
from worker.pipeline.ports import SchemaUnavailable

MOST_VERSIONS = 50
"""Versions of a subject that are read, the newest: each is a request."""

_AT_ONCE = 8
_VALUE, _KEY = "-value", "-key"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject and what was read of it.

    Attributes:
        name: its name.
        versions: the numbers and schemas, the newest last; of `NoSchema` the registry has none that is of use.
        total: how many versions it has.
    """

    name: str
    versions: list[tuple[int, Schema | NoSchema]]
    total: int


class Subjects:
    """Reads subjects.

    Args:
        client: of the registry.
    """

    def __init__(self, client: SchemaRegistryClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._permits = asyncio.Semaphore(_AT_ONCE)

    async def names(self) -> list[str]:
        """The names of all subjects. Raises `SchemaUnavailable`."""
        return [str(name) for name in await self._list("/subjects")]

    async def read(self, name: str) -> Subject:
        """The newest versions of a subject. Raises `SchemaUnavailable`."""
        numbers = sorted(
            int(number) for number in await self._list(f"/subjects/{quote(name, safe='')}/versions")
        )
        newest = numbers[-MOST_VERSIONS:]
        schemas = await asyncio.gather(*(self._version(name, number) for number in newest))
        return Subject(name, list(zip(newest, schemas, strict=True)), len(numbers))

    async def _version(self, name: str, number: int) -> Schema | NoSchema:
        async with self._permits:
            return await self._client.fetch_version(name, number)

    async def _list(self, path: str) -> list[Any]:
        answer = await self._client.get(f"{self._url}{path}")
        if answer.status == 404:
            return []
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, list):
            raise SchemaUnavailable("the response is not from a schema registry")
        return found


def subjects_of(topic: str, names: Iterable[str]) -> list[str]:
    """The subjects of a topic's values, by the strategies that have the topic in the name.

    That is `TOPIC-value`, and where there is none, `TOPIC-RECORD` for each type of record (TopicRecordNameStrategy).

    Args:
        topic: a name or a pattern.
        names: of all subjects.
    """
    every = sorted(names)
    of_values = [
        name for name in every if name.endswith(_VALUE) and matches(topic, name.removesuffix(_VALUE))
    ]
    if of_values:
        return of_values
    records = (name for name in every if not name.endswith((_VALUE, _KEY)) and "-" in name)
    return [name for name in records if any(matches(topic, each) for each in _beginnings(name))]


def _beginnings(name: str) -> list[str]:
    """What stands before a hyphen: `a`, `a-b` of `a-b-c`."""
    parts = name.split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts))]
