"""Sizes beyond the limits of the Track API, which Pipelines delivers to.

Source: Track API reference, Customer limits, Object and relationship limits, Track API Event limits. What becomes of
larger values is not documented: the calls are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson


def size_notices(call: dict[str, Any]) -> Iterator[str]:
    """A notice for each limit that a call exceeds. Quotes no value."""
    properties = _object(call.get("properties"))
    ids = [call.get(name) for name in ("userId", "anonymousId", "groupId", "previousId")]
    if any(isinstance(each, str) and _bytes(each) > 150 for each in (*ids, properties.get("objectId"))):
        yield "an id is longer than 150 bytes"
    if isinstance(call.get("event"), str) and _bytes(call["event"]) > 100:
        yield "the event's name is longer than 100 bytes"
    traits = _object(call.get("traits"))
    if len(traits) > 300:
        yield "there are more than 300 traits"
    if any(_bytes(name) > 150 for name in traits):
        yield "a trait's name is longer than 150 bytes"
    if any(_bytes(value) > 1000 for value in traits.values()):
        yield "a trait's value is larger than 1,000 bytes"


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _bytes(value: object) -> int:
    """The bytes of text in UTF-8, or of a list or object in JSON; 0 for anything else."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return len(orjson.dumps(value)) if isinstance(value, (list, dict)) else 0
