"""Notices: probable mistakes in calls that the API accepts. No notice contains a value of the call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.emulator.names import RESERVED_EVENTS, looks_reserved, present, trimmed_event
from worker.emulator.sizes import size_notices

_BY_SERVER = ("receivedAt", "version")


def notices(call: dict[str, Any]) -> Iterator[str]:
    """The notices of a call that the API accepts."""
    if "timestamp" not in call:
        yield "without a timestamp the API uses the time of arrival"
    if "messageId" not in call:
        yield "without a messageId the API cannot recognise duplicates"
    for name in _BY_SERVER:
        if name in call:
            yield f"{name} is set by the server"
    if call["type"] in ("page", "screen") and not present(call.get("name")):
        yield "the page or screen has no name, which one of the API's documents requires"
    yield from size_notices(call)
    if call["type"] == "track":
        yield from _track_notices(call)
    traits = call.get("traits")
    if isinstance(traits, dict):
        yield from _trait_notices(call["type"], traits)


def _track_notices(call: dict[str, Any]) -> Iterator[str]:
    event = trimmed_event(call)
    if event not in RESERVED_EVENTS and looks_reserved(event):
        yield "the event's name looks like a semantic event's but differs from it: the API stores an ordinary event"
    properties = call.get("properties")
    if event not in RESERVED_EVENTS and isinstance(properties, dict):
        yield from _overrides(event, properties)
    if event.startswith("Device ") and event in RESERVED_EVENTS and isinstance(properties, dict):
        context = call.get("context")
        if not isinstance(context, dict) or not isinstance(context.get("device"), dict):
            yield "the destination reads the device from context.device, which is missing"


_OVERRIDES = ("recipient", "from_address", "reply_to")


def _overrides(event: str, properties: dict[str, Any]) -> Iterator[str]:
    """Properties that redirect the mail of campaigns (Track API reference, Reserved Properties)."""
    documented = event in ("Product Shared", "Cart Shared")
    for name in _OVERRIDES:
        if properties.get(name) is not None and not (documented and name == "recipient"):
            yield f"properties.{name} overrides the settings of the campaigns that the event triggers"


_TRAITS: dict[str, tuple[type, str]] = {"cio_subscription_preferences": (dict, "an object")}


def _trait_notices(kind: str, traits: dict[str, Any]) -> Iterator[str]:
    # The reference documents these types, but the API is not known to refuse others: it accepts any JSON in traits.
    for name, (wanted, words) in _TRAITS.items():
        if traits.get(name) is not None and not isinstance(traits[name], wanted):
            yield f"traits.{name} should be {words}"
    if kind == "identify" and not _is_plain(traits.get("unsubscribed")):
        yield "traits.unsubscribed should be a boolean: anything but true, 1 and their text means subscribed"
    if kind == "identify" and not {"id", "cio_id"}.isdisjoint(traits):
        yield "traits.id and traits.cio_id are identifiers of the person"
    if kind == "identify" and "objectId" in traits:
        yield "an identify with traits.objectId creates a relationship"
    if "createdAt" in traits and "created_at" in traits and traits["createdAt"] != traits["created_at"]:
        yield "traits.createdAt and traits.created_at differ"


def _is_plain(value: object) -> bool:
    """Whether an opt-out is true or false in one of the usual forms, or absent."""
    return value is None or value in ("true", "false") or (isinstance(value, int) and value in (0, 1))
