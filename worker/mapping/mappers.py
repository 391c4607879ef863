"""Python mappers: found, checked and called so that one that fails rejects its record only. (Signatures hold.)"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.mapping.assembly import Call


@dataclass(slots=True)
class Event:
    """A record, decoded, as a mapper gets it.

    Attributes:
        value: the JSON object in the record's value; empty for a tombstone.
        key: the record's key as text; None if there is none or it is not UTF-8.
        headers: UTF-8 text by name; of a repeated one the last; None for one that is not UTF-8.
        topic, partition, offset: where the record lies.
        timestamp: the record's, RFC 3339 in UTC.
        tombstone: whether the record's value is null.
    """

    value: dict[str, Any]
    key: str | None
    headers: dict[str, str | None]
    topic: str
    partition: int
    offset: int
    timestamp: str
    tombstone: bool = False


Mapper = Callable[[Event], "Call | Mapping[str, Any] | Iterable[Call | Mapping[str, Any]] | None"]


class Mappers:
    """Loads mappers by name, once: `Mappers(mapper_path, base).load("mappers.devices:device_changed")`."""

    def __init__(self, mapper_path: Sequence[str], base: Path) -> None: ...

    def load(self, name: str) -> Mapper:
        """The function that `module:function`, or an entry point's name, names; raises `MapperProblem`."""
        raise NotImplementedError


class MapperProblem(Exception):  # noqa: N818 - becomes a `model.Problem`
    """Why a mapper cannot be used; `message`, `hint`, and `file`, `line` where its module fails."""

    def __init__(
        self, message: str, *, hint: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.file, self.line = message, hint, file, line


def run(
    mapper: Mapper,
    name: str,
    event: Event,
    *,
    allow: frozenset[str],
    reject_ids: frozenset[str],
    on_slow: Callable[[str, float], None] | None = None,
) -> list[tuple[dict[str, Any], str | None]]:
    """The calls that a mapper makes of an event, validated: (call without messageId or with its own, event id to derive it from)."""
    raise NotImplementedError
