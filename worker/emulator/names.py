"""Names and ids of calls: which are given, and which event names are reserved or destructive."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from worker.customerio.event_names import comparable

DESTRUCTIVE_EVENTS = frozenset(
    {
        "User Deleted",
        "User Suppressed",
        "User Unsuppressed",
        "Device Deleted",
        "Relationship Deleted",
        "Object Deleted",
    }
)
"""Track events that delete data or block a person (API reference, Semantic events). An `alias` is destructive, too."""

RESERVED_EVENTS = DESTRUCTIVE_EVENTS | {
    "Device Created or Updated",
    "Report Delivery Event",
    "Report Content Event",
}
"""The nine event names that Customer.io acts on (API reference, Semantic events)."""

_DESTRUCTIVE_NAMES = frozenset(map(comparable, DESTRUCTIVE_EVENTS))


def present(value: object) -> bool:
    """Whether an id, a name or a token is given: text that is not blank (as in the SDKs)."""
    return isinstance(value, str) and bool(value.strip())


def trimmed_event(call: dict[str, Any]) -> str:
    """The event's name as the API stores it, trimmed (API reference, Track); "" if there is none."""
    event = call.get("event")
    return event.strip() if isinstance(event, str) else ""


def is_destructive(call: dict[str, Any]) -> bool:
    """Whether the call deletes data or blocks a person, however its event name is written."""
    return call.get("type") == "alias" or (
        call.get("type") == "track" and comparable(trimmed_event(call)) in _DESTRUCTIVE_NAMES
    )


def _stems(name: str) -> frozenset[str]:
    """The words of a name in lower case, as a set, without the endings of create, update, delete and suppress."""
    stems = (re.sub(r"(ed|e)$", "", word) for word in re.findall(r"[a-z]+", comparable(name)))
    return frozenset(stem for stem in stems if stem not in ("or", "the", "a"))


_RESERVED_STEMS = frozenset(
    {_stems(name) for name in RESERVED_EVENTS}
    | {_stems(f"Person {word}") for word in ("Deleted", "Suppressed", "Unsuppressed")}
    | {_stems("Device Created"), _stems("Device Updated")}
)


@lru_cache(maxsize=1024)  # a topic has few distinct event names
def looks_reserved(event: str) -> bool:
    """Whether a name has the words of a reserved one, such as `delete user`."""
    return _stems(event) in _RESERVED_STEMS
