"""A sample record, and the fields of its event."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

FieldPath = tuple[str, ...]
"""The names from the event down to a field. `("_kafka", "headers", NAME)` is a header, `("_kafka", "key")` the key,
`("_change", "op")` what the envelope says."""

KEY: FieldPath = ("_kafka", "key")

MAX_LEVELS = 5
"""How deep fields are looked for: ids and times of real events are nearer to the top."""

_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """A record as rules see it.

    Attributes:
        event: the decoded value, without its envelope.
        value: the decoded value with its envelope, as fixtures have it; None for a tombstone.
        key: as text; None if it has none or is not text.
        headers: those whose value is text.
        about: what the envelope says: `_change` or `_ce` with its fields.
        key_object: a key in JSON that is an object, in place of `key`.
    """

    event: dict[str, Any]
    value: dict[str, Any] | None
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    key_object: dict[str, Any] | None = None

    def find(self, path: FieldPath) -> Any:
        """The value at a path; None if there is none."""
        if path == KEY:
            return self.key
        if path[:2] == ("_kafka", "headers"):
            return self.headers.get(path[2])
        found: Any = self.about if path[:1] and path[0] in self.about else self.event
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def scalar_paths(samples: Iterable[Sample]) -> list[FieldPath]:
    """The paths of all fields with text, numbers or booleans, those nearest to the top first."""
    found = dict.fromkeys(path for sample in samples for path in _scalars(sample.event, ()))
    return sorted(found, key=len)


def _scalars(value: dict[str, Any], path: FieldPath) -> Iterator[FieldPath]:
    for name, item in value.items():
        if isinstance(item, dict) and len(path) + 1 < MAX_LEVELS:
            yield from _scalars(item, (*path, name))
        elif isinstance(item, str | int | float):
            yield (*path, name)


def expression(path: FieldPath) -> str:
    """A path as an expression: `order.id`, `_kafka.headers."x-kind"`."""
    return ".".join(
        name if _BARE_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in path
    )


def words(name: str) -> list[str]:
    """The words of a name in lower case: of `orderCompleted`, `order.completed` and `Order-Completed` the same two."""
    return [word.lower() for word in _WORDS.findall(name)]


def joined(name: str) -> str:
    """The words of a name in one: `userid` for `user_id` and `userId`."""
    return "".join(words(name))


def singular(word: str) -> str:
    """A plural's singular, roughly: `customers`, `companies`, `addresses`."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
