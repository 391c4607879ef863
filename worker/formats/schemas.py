"""The schemas that records were written with, by the ids that records carry.

`Schemas` is what decoding sees of a schema registry: it returns what was put there and never waits. Before
records are decoded, their reader asks the formats which ids they have (`SchemasNeeded.missing`), fetches these, and
puts them here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_SCHEMAS = 1000
"""How many schemas are kept: more than a worker's topics have, and a bound for a topic with an id in every record. A
schema that is needed again later is fetched again."""


class IdKind(StrEnum):
    """What an id identifies, and so how a registry is asked for it."""

    CONFLUENT = "id"
    """The id of the Confluent API: four bytes after a zero byte."""

    GUID = "guid"
    """A GUID of the Confluent API."""

    CONTENT = "content id"
    """Apicurio's id of a schema's content."""

    GLOBAL = "global id"
    """Apicurio's id of one version of an artifact."""


class SchemaId(NamedTuple):
    """A schema's id in the registry.

    Attributes:
        kind: what it identifies.
        value: the number, or the GUID as text.
    """

    kind: IdKind
    value: int | str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.value}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that another one refers to.

    Attributes:
        name: what the other one calls it: an Avro type's full name, or the path of a Protobuf import.
        schema: the schema.
    """

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as its registry or file has it.

    Attributes:
        type: `AVRO`, `PROTOBUF` or `JSON`, as registries write it; empty where the registry does not say it.
        text: the schema; bytes for a descriptor set.
        references: the schemas that it refers to, with theirs. The same schema is the same object wherever it is used.
    """

    type: str
    text: str | bytes
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class NoSchema:
    """The registry's final answer where it has no schema that could be used.

    Attributes:
        detail: what is wrong.
        unknown: whether it does not know the id; else the schema is of no use, for example because a reference
            leads back to it.
    """

    detail: str
    unknown: bool = True


class Schemas:
    """The schemas that were fetched, at most `MAX_SCHEMAS`: the least recently used are dropped.

    Attributes:
        dropped: how many were dropped so far, by which others notice that one may be missing again.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._found: OrderedDict[SchemaId, Schema | NoSchema] = OrderedDict()

    def get(self, id_: SchemaId) -> Schema | NoSchema | None:
        """The schema, or why there is none; None if it was not fetched, or was dropped since."""
        found = self._found.get(id_)
        if found is not None:
            self._found.move_to_end(id_)
        return found

    def put(self, id_: SchemaId, schema: Schema | NoSchema) -> None:
        """Keep a schema."""
        self._found[id_] = schema
        self._found.move_to_end(id_)
        if len(self._found) > MAX_SCHEMAS:
            self._found.popitem(last=False)
            self.dropped += 1

    def drop(self, id_: SchemaId) -> None:
        """Forget what is known of an id, so that it is fetched again when a record needs it."""
        self._found.pop(id_, None)
        self.dropped += 1

    def __len__(self) -> int:
        return len(self._found)
