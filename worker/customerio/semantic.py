"""Customer.io's own events: a `track` with one of nine reserved names deletes, suppresses or reports something.

A name that only looks like one of them is rejected, because the API would accept it with 200 as an ordinary event
without that effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.customerio.event_names import comparable
from worker.customerio.meaning import check_overrides, check_uninstall
from worker.customerio.reference import (
    CONTENT_ACTIONS,
    DELIVERY_METRICS,
    DESTRUCTIVE_CALLS,
    DEVICE_TYPES,
    LOOK_ALIKES,
    SEMANTIC_EVENTS,
)

ORDINARY: set[str] = set()
"""Names that `check_event_name` accepted. Bounded, because names may come from records."""

_MOST_ORDINARY = 4096
_LONGEST_ORDINARY = 256
"""Characters: longer names are not kept, so that the set takes a few megabytes at most."""

INTERNAL_EVENT = "CIO Location Update"
"""Reserved for Customer.io's Android SDK."""

_CALL_NAMES = {event: name for name, event in SEMANTIC_EVENTS.items()}
_ALIKE = {
    **LOOK_ALIKES,
    **{comparable(event): event for event in (*SEMANTIC_EVENTS.values(), INTERNAL_EVENT)},
}


def call_name(call: Mapping[str, Any]) -> str:
    """The name of a valid call in rules and in `allow`.

    This is its type; for a `track` with a reserved event name, the name of the semantic call: `delete_user` for
    `User Deleted`.
    """
    if call["type"] == "track":
        return _CALL_NAMES.get(call["event"], "track")
    return str(call["type"])


def reserved(name: str) -> str | None:
    """The reserved event name that this one equals or looks like, see `comparable`; None for an ordinary name."""
    return _ALIKE.get(comparable(name))


def check_event_name(name: object) -> str:
    """Check the name of an ordinary event: text that is neither blank nor looks like a reserved name.

    Raises:
        Rejected: with stage `validate`: `INVALID_NAME` or `RESERVED_NAME`.
    """
    if not isinstance(name, str) or not comparable(name):
        _refuse("INVALID_NAME", "event must be text that is not blank.")
    if event := reserved(name):
        _refuse("RESERVED_NAME", _reserved_detail(event))
    if type(name) is str and len(name) <= _LONGEST_ORDINARY:
        if len(ORDINARY) >= _MOST_ORDINARY:
            ORDINARY.clear()
        ORDINARY.add(name)
    return name


def check_semantic(call: Mapping[str, Any], allow: Collection[str] = frozenset()) -> str:
    """Check a call that has passed `validation.validate` for what its event requires; returns its name.

    Args:
        call: the call in the API's format.
        allow: what is allowed, see `meaning`.

    Raises:
        Rejected: with stage `validate`: `NOT_ALLOWED`, `RESERVED_NAME` (looks like a reserved name but is
            none), `RESERVED_PROPERTY`, `MISSING_ID`, `MISSING_FIELD`, `INVALID_TYPE`, `INVALID_VALUE`.
    """
    name = call_name(call)
    if name == "track":
        check_event_name(call["event"])
        check_track(call, allow)
    elif name in DESTRUCTIVE_CALLS and name not in allow:
        _refuse("NOT_ALLOWED", f"{name} comes only from a rule that names it or lists it in `allow`.")
    if name in _CHECKS:
        _CHECKS[name](name, call)
    return name


def check_track(call: Mapping[str, Any], allow: Collection[str] = frozenset()) -> None:
    """Check an ordinary `track` of a mapper, whose name and properties came by code or data.

    Raises:
        Rejected: with stage `validate`: `NOT_ALLOWED` or `RESERVED_PROPERTY`.
    """
    check_overrides(call, allow)
    if "context" in call:
        check_uninstall(call, allow)


def is_object_type(value: object) -> bool:
    """Whether this is a valid object type: a whole number of 1 or more, or its digits as text.

    The reference requires "stringified integers", the newer reference integers; both are accepted.
    """
    digits = str(value) if type(value) in (str, int) else ""
    return digits.isascii() and digits.isdigit() and digits[0] != "0"


def _check_user(name: str, call: Mapping[str, Any]) -> None:
    if "userId" not in call:
        _refuse("MISSING_ID", f"{name} needs userId.")


def _check_device(name: str, call: Mapping[str, Any]) -> None:
    """Require a device token in `context.device` or `properties.device`; if both have one they must be equal."""
    _check_user(name, call)
    devices = [_device(call, "context"), _device(call, "properties")]
    tokens = {_text(device.get("token"), "device.token") for device in devices if "token" in device}
    if not tokens:
        _refuse("MISSING_FIELD", f"{name} needs context.device.token.")
    kinds = {_text(device["type"], "device.type") for device in devices if device.get("type") is not None}
    if not kinds <= set(DEVICE_TYPES):
        _refuse("INVALID_VALUE", f"device.type must be one of {', '.join(DEVICE_TYPES)}.")
    if len(tokens) > 1 or len(kinds) > 1:
        _refuse("INVALID_VALUE", "context.device and properties.device must be the same device.")


def _device(call: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    device = call.get(place, {}).get("device", {})
    if not isinstance(device, dict):
        _refuse("INVALID_TYPE", f"{place}.device must be an object.")
    return device


def _check_relationship(name: str, call: Mapping[str, Any]) -> None:
    _check_user(name, call)
    _check_object(name, call)


def _check_object(name: str, call: Mapping[str, Any]) -> None:
    """Check the id and type of an object.

    The type is sent unchanged, as text or number. The destination reads the undocumented `object_type_id` first: if
    that differed from `objectTypeId`, another object would be deleted.
    """
    _need(name, call, "objectId")
    properties = call["properties"]
    kinds = [properties[field] for field in ("objectTypeId", "object_type_id") if field in properties]
    if not all(map(is_object_type, kinds)):
        _refuse("INVALID_VALUE", "properties.objectTypeId must be a whole number of 1 or more.")
    if len(set(map(str, kinds))) > 1:
        _refuse("INVALID_VALUE", "properties.objectTypeId and properties.object_type_id must be equal.")


def _check_delivery(name: str, call: Mapping[str, Any]) -> None:
    _need(name, call, "deliveryId")
    _check_choice(name, call, "metric", DELIVERY_METRICS)


def _check_content(name: str, call: Mapping[str, Any]) -> None:
    _check_choice(name, call, "actionType", CONTENT_ACTIONS)
    for field in ("contentId", "templateId"):
        if type(call["properties"].get(field, 0)) is not int:
            _refuse("INVALID_TYPE", f"properties.{field} must be a whole number.")


_CHECKS: dict[str, Callable[[str, Mapping[str, Any]], None]] = {
    "delete_user": _check_user,
    "suppress_user": _check_user,
    "unsuppress_user": _check_user,
    "create_or_update_device": _check_device,
    "delete_device": _check_device,
    "delete_relationship": _check_relationship,
    "delete_object": _check_object,
    "report_delivery_event": _check_delivery,
    "report_content_event": _check_content,
}


def _need(name: str, call: Mapping[str, Any], field: str) -> str:
    """The text of a required property."""
    value = call.get("properties", {}).get(field)
    if value is None:
        _refuse("MISSING_FIELD", f"{name} needs properties.{field}.")
    return _text(value, f"properties.{field}")


def _check_choice(name: str, call: Mapping[str, Any], field: str, choices: Collection[str]) -> None:
    if _need(name, call, field) not in choices:
        _refuse("INVALID_VALUE", f"properties.{field} must be one of {', '.join(choices)}.")


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        _refuse("INVALID_TYPE", f"{field} must be text.")
    if not value.strip():
        _refuse("MISSING_FIELD", f"{field} is blank.")
    return value


def _reserved_detail(event: str) -> str:
    call = _CALL_NAMES.get(event)
    if call is None:
        return f"The event's name is, or looks like, `{event}`, which Customer.io keeps for itself."
    return f"The event's name is, or looks like, `{event}`: use the call {call}."


def _refuse(reason: str, detail: str) -> NoReturn:
    raise Rejected(Stage.VALIDATE, reason, detail)
