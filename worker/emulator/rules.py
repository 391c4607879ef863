"""The API's requirements for a call, written from its reference only.

This module, `names` and `call_notices` deliberately share only the comparison of event names with the worker's own
validation. Tests check the two against each other, so a rule that is wrong in one of them is found. Where the API's
documents disagree, the strictest reading applies.

Rules of these modules:
    1. An *error* makes strict mode refuse the call with 400, and permissive mode drop it with 200.
    2. A *notice* is a probable mistake that the API accepts, such as an event name that looks like a deletion.
    3. Neither contains a value of the call, only field names, limits and documented words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.emulator.call_notices import notices
from worker.emulator.names import RESERVED_EVENTS, present, trimmed_event

MAX_CALL_BYTES = 32_000
"""Exact UTF-8 bytes of one call (the smallest number in every reading of "32KB")."""

MAX_BODY_BYTES = 500_000
"""Exact bytes of one request body (the smallest number in every reading of "500KB")."""

MAX_MESSAGE_ID = 100
"""Characters. Segment's limit; Customer.io does not document one, so the strictest reading applies."""

TYPES = ("identify", "track", "page", "screen", "group", "alias")

_STRINGS = ("userId", "anonymousId", "groupId", "previousId", "event", "name", "messageId", "category")
_OBJECTS = ("traits", "properties", "context", "integrations")
_TIMES = ("timestamp", "originalTimestamp", "sentAt")
_METRICS = frozenset(
    {"delivered", "opened", "clicked", "converted", "spammed", "bounced", "dropped", "deferred"}
)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z")


@dataclass(slots=True)
class Findings:
    """The errors and notices of one call."""

    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def examine(call: object, *, strict: bool) -> Findings:
    """All errors and notices of one decoded call; `type` must be present (see `request_body`)."""
    if not isinstance(call, dict):
        return Findings(errors=["a call must be an object"])
    if call.get("type") not in TYPES:
        return Findings(errors=[f"type must be one of {', '.join(TYPES)}"])
    findings = Findings()
    findings.errors.extend(_common_fields(call))
    findings.errors.extend(_BY_TYPE[call["type"]](call))
    if strict and call["type"] == "identify" and not _person(call) and not findings.errors:
        # Identified by its email only, which strict mode refuses.
        findings.errors.append("userId or anonymousId is required")
    findings.errors.extend(_semantic(call))
    findings.notices.extend(notices(call))
    return findings


def is_date_time(value: object) -> bool:
    """Whether this is an ISO 8601 date-time with an offset, and up to nine decimals of a second (SDK tests)."""
    if not isinstance(value, str) or not _DATE_TIME.match(value):
        return False
    try:
        datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", value.upper()))
    except ValueError:
        return False
    return True


# --- common fields of all calls (API reference) ---


def _common_fields(call: dict[str, Any]) -> Iterator[str]:
    for name in _STRINGS:
        if call.get(name) is not None and not isinstance(call[name], str):
            yield f"{name} must be a string"
    for name in _OBJECTS:
        if name in call and not isinstance(call[name], dict):
            yield f"{name} must be an object"
    for name in _TIMES:
        if name in call and not is_date_time(call[name]):
            yield f"{name} must be an ISO 8601 date-time with an offset"
    if isinstance(call.get("messageId"), str) and len(call["messageId"]) > MAX_MESSAGE_ID:
        yield f"messageId must not be longer than {MAX_MESSAGE_ID} characters"
    yield from _context(call.get("context"))
    yield from _integrations(call.get("integrations"))


_CONTEXT: dict[str, type] = {
    "active": bool,
    "ip": str,
    "locale": str,
    "userAgent": str,
    "timezone": str,
    "campaign": dict,
    "page": dict,
    "app": dict,
    "device": dict,
    "network": dict,
    "os": dict,
    "library": dict,
}
_WORD = {bool: "a boolean", str: "a string", dict: "an object"}


def _context(context: object) -> Iterator[str]:
    if not isinstance(context, dict):
        return
    for name, kind in _CONTEXT.items():
        if context.get(name) is not None and not isinstance(context[name], kind):
            yield f"context.{name} must be {_WORD[kind]}"
    if "channel" in context and context["channel"] not in ("browser", "server", "mobile"):
        yield "context.channel must be browser, server or mobile"


def _integrations(integrations: object) -> Iterator[str]:
    """A boolean for each destination (API reference), or an object with its options (SDKs)."""
    if isinstance(integrations, dict) and not all(
        isinstance(each, bool | dict) for each in integrations.values()
    ):
        yield "integrations must hold a boolean or an object for each destination"


# --- required fields of each type (API reference; the stricter version where versions differ) ---


def _identify(call: dict[str, Any]) -> Iterator[str]:
    traits = call.get("traits")
    email = traits.get("email") if isinstance(traits, dict) else None
    if not _person(call) and not present(email):
        yield "userId, anonymousId or traits.email is required"
    if email is not None and not isinstance(email, str):
        yield "traits.email must be a string"


def _track(call: dict[str, Any]) -> Iterator[str]:
    if not present(call.get("event")):
        yield "event is required"
    if not _person(call) and not present(call.get("groupId")):
        yield "userId or anonymousId is required"


def _page(call: dict[str, Any]) -> Iterator[str]:
    if not _person(call):
        yield "userId or anonymousId is required"


def _group(call: dict[str, Any]) -> Iterator[str]:
    if not present(call.get("groupId")):
        yield "groupId is required"
    kind = call.get("objectTypeId")
    if kind is not None and not (isinstance(kind, str) and _is_object_type(kind)):
        yield "objectTypeId must be a string with a whole number of 1 or more"
    traits = call["traits"] if isinstance(call.get("traits"), dict) else {}
    for name in _OBJECT_TYPES:
        if traits.get(name) is not None and not _is_object_type(traits[name]):
            yield f"traits.{name} must be a whole number of 1 or more"


_OBJECT_TYPES = ("objectTypeId", "object_type_id")
"""The names that the reference and the destination use for the type of an object."""


def _is_object_type(kind: object) -> bool:
    """A whole number of 1 or more, as a number or as text: the documents disagree, and the destination accepts both."""
    if isinstance(kind, str):
        return re.fullmatch("[1-9][0-9]*", kind) is not None
    return type(kind) is int and kind >= 1


def _alias(call: dict[str, Any]) -> Iterator[str]:
    if not present(call.get("previousId")):
        yield "previousId is required"
    if not present(call.get("userId")):
        yield "userId is required"


_BY_TYPE: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "identify": _identify,
    "track": _track,
    "page": _page,
    "screen": _page,
    "group": _group,
    "alias": _alias,
}


def _person(call: dict[str, Any]) -> bool:
    return present(call.get("userId")) or present(call.get("anonymousId"))


# --- semantic events (API reference, Semantic events) ---


def _semantic(call: dict[str, Any]) -> Iterator[str]:
    event = trimmed_event(call)
    if call["type"] != "track" or event not in RESERVED_EVENTS:
        return
    if event.startswith(("User ", "Device ", "Relationship ")) and not present(call.get("userId")):
        yield f"{event} requires userId"
    properties = call.get("properties") if isinstance(call.get("properties"), dict) else {}
    assert isinstance(properties, dict)
    if event.startswith("Device "):
        yield from _device(call, properties, event)
    elif event in ("Relationship Deleted", "Object Deleted"):
        yield from _object(properties, event)
    elif event == "Report Delivery Event":
        yield from _delivery(properties)
    elif event == "Report Content Event" and properties.get("actionType") not in (
        "viewed_content",
        "clicked_content",
    ):
        yield "Report Content Event requires properties.actionType: viewed_content or clicked_content"


def _device(call: dict[str, Any], properties: dict[str, Any], event: str) -> Iterator[str]:
    devices = _devices(call, properties)
    if not any(present(device.get("token")) for device in devices):
        yield f"{event} requires a device token"
    kinds = [device["type"] for device in devices if device.get("type") is not None]
    if any(kind not in ("ios", "android") for kind in kinds):
        yield f"{event}: the device type must be ios or android"


def _devices(call: dict[str, Any], properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The devices in both documented places; the destination reads the first."""
    context = call.get("context")
    places = [context.get("device") if isinstance(context, dict) else None, properties.get("device")]
    return [place for place in places if isinstance(place, dict)]


def _object(properties: dict[str, Any], event: str) -> Iterator[str]:
    if not present(properties.get("objectId")):
        yield f"{event} requires properties.objectId"
    for name in _OBJECT_TYPES:
        if name in properties and not _is_object_type(properties[name]):
            yield f"{event}: properties.{name} must be a whole number of 1 or more"


def _delivery(properties: dict[str, Any]) -> Iterator[str]:
    if not present(properties.get("deliveryId")):
        yield "Report Delivery Event requires properties.deliveryId"
    if properties.get("metric") not in _METRICS:
        yield f"Report Delivery Event requires properties.metric: {', '.join(sorted(_METRICS))}"
