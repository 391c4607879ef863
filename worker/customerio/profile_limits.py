"""The sizes that Customer.io's Track API takes, which is behind Pipelines; Pipelines publishes none of its own.

Source: Track API reference, Customer limits, Object and relationship limits, Track API Event limits. What happens to
larger values is not documented, so `limits.profile` says whether they are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from worker.core.reasons import Rejected, Stage
from worker.customerio.notices import MEANINGS, Notice
from worker.customerio.reference import ID_FIELDS

MAX_ID_BYTES = 150
MAX_EVENT_NAME_BYTES = 100
MAX_TRAIT_NAME_BYTES = 150
MAX_TRAIT_BYTES = 1000
MAX_TRAITS = 300

LIMITED_IDS = frozenset({*ID_FIELDS, "objectId"})
"""The ids of people and objects."""

_BYTES_PER_CHARACTER = 4
"""At most, in UTF-8: shorter text needs no encoding to be found short enough."""

SHORT_ID = MAX_ID_BYTES // _BYTES_PER_CHARACTER
SHORT_NAME = MAX_EVENT_NAME_BYTES // _BYTES_PER_CHARACTER
"""Characters of ids and event names that are never too long, whatever they are."""


def is_too_long(text: str, limit: int) -> bool:
    """Whether a text takes more bytes of UTF-8 than this."""
    return len(text) * _BYTES_PER_CHARACTER > limit and len(text.encode("utf-8", "surrogatepass")) > limit


def excesses(call: Mapping[str, Any]) -> list[Notice]:
    """Each limit that a valid call exceeds, once. Fast for the many that exceed none."""
    found: list[Notice] = []
    for field in ID_FIELDS:
        if field in call and len(call[field]) > SHORT_ID and _is_long_id(call[field]):
            found = [Notice.ID_LENGTH]
    properties = call.get("properties")
    if properties and "objectId" in properties and _is_long_id(properties["objectId"]):
        found = [Notice.ID_LENGTH]
    event = call.get("event", "")
    if len(event) > SHORT_NAME and is_too_long(event, MAX_EVENT_NAME_BYTES):
        found.append(Notice.EVENT_NAME_LENGTH)
    if "traits" in call:
        found.extend(trait_excesses(call))
    return found


def _is_long_id(value: object) -> bool:
    return isinstance(value, str) and is_too_long(value, MAX_ID_BYTES)


def trait_excesses(call: Mapping[str, Any]) -> Iterator[Notice]:
    """Each limit of traits that an `identify` or `group` exceeds, once."""
    traits = call.get("traits")
    if not traits:
        return
    if len(traits) > MAX_TRAITS:
        yield Notice.TRAIT_COUNT
    if any(is_too_long(name, MAX_TRAIT_NAME_BYTES) for name in traits):
        yield Notice.TRAIT_NAME_LENGTH
    if any(map(_is_too_large, traits.values())):
        yield Notice.TRAIT_VALUE_SIZE


def _is_too_large(value: object) -> bool:
    """Text counts as its UTF-8, a list or object as the JSON that is sent."""
    if isinstance(value, str):
        return is_too_long(value, MAX_TRAIT_BYTES)
    return isinstance(value, (list, tuple, dict)) and len(orjson.dumps(value)) > MAX_TRAIT_BYTES


def refuse_excess(kind: Notice, _rule: str = "") -> None:
    """Refuse a call that exceeds a limit (`limits.profile: reject`). Has the parameters of `notices.OnNotice`.

    Raises:
        Rejected: with stage `validate`: `LIMIT_EXCEEDED`.
    """
    meaning = MEANINGS[kind]
    raise Rejected(Stage.VALIDATE, "LIMIT_EXCEEDED", f"{meaning[0].upper()}{meaning[1:]} (limits.profile).")
