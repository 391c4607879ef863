"""Fields by which the API does more than store a value: such a call is rejected unless its rule allows it.

`allow` holds what a rule allows, by name: destructive calls, `application_uninstalled`, and reserved properties.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.customerio.event_names import comparable
from worker.customerio.reference import (
    ALLOW_UNINSTALLED,
    APPLICATION_UNINSTALLED,
    DOCUMENTED_OVERRIDES,
    RESERVED_PROPERTIES,
    RESERVED_TRAITS,
    SEMANTIC_EVENTS,
)

_UNINSTALLED = comparable(APPLICATION_UNINSTALLED)
_SEMANTIC = frozenset(SEMANTIC_EVENTS.values())


def check_overrides(call: Mapping[str, Any], allow: Collection[str]) -> None:
    """Check that a `track` does not redirect campaign mail by a property that came with the data.

    A null does not count. Semantic calls, and events that document the property, may have it.

    Raises:
        Rejected: with stage `validate`: `RESERVED_PROPERTY`.
    """
    properties = call.get("properties")
    if not properties:
        return
    for name in RESERVED_PROPERTIES:
        if name not in properties or properties[name] is None:
            continue
        if name not in allow and not may_override(call["event"], name):
            _refuse(
                "RESERVED_PROPERTY",
                f"properties.{name} overrides the {OVERRIDDEN[name]} of campaign mail. Leave it out or rename it, or "
                f"write `allow_overrides: [{name}]` in the rule.",
            )


def may_override(event: str, name: str) -> bool:
    """Whether an event may have a reserved property without `allow_overrides`."""
    return event in _SEMANTIC or name in DOCUMENTED_OVERRIDES.get(event.strip(), ())


OVERRIDDEN = {"recipient": "recipient", "from_address": "sender", "reply_to": "reply address"}
"""What each reserved property overrides."""


def check_uninstall(call: Mapping[str, Any], allow: Collection[str]) -> None:
    """Check that a `track` whose name was computed does not delete a device.

    Raises:
        Rejected: with stage `validate`: `NOT_ALLOWED`.
    """
    if ALLOW_UNINSTALLED in allow or comparable(call["event"]) != _UNINSTALLED:
        return
    device = call.get("context", {}).get("device")
    if isinstance(device, Mapping) and device.get("token") not in (None, ""):
        _refuse(
            "NOT_ALLOWED",
            f"{APPLICATION_UNINSTALLED} with context.device.token deletes the device: it comes only from a rule with "
            f"this literal `event`, or with `allow: [{ALLOW_UNINSTALLED}]`.",
        )


def check_unsubscribed(value: object) -> None:
    """Check the trait `unsubscribed` of an `identify`, which is sent as it stands.

    The API reads any case of "true", 1 and "1" as unsubscribed, and every other value as subscribed (pipelines.json,
    `identify` traits). So a value that is neither plainly true nor plainly false, such as "yes", would subscribe the
    person again.

    Raises:
        Rejected: with stage `validate`: `INVALID_UNSUBSCRIBED`.
    """
    if type(value) is bool or (type(value) is int and value in (0, 1)) or value in ("true", "false"):
        return
    _refuse(
        "INVALID_UNSUBSCRIBED",
        "traits.unsubscribed must be true, false, 0, 1, 'true' or 'false': the API reads anything else as subscribed.",
    )


def has_reserved_traits(call: Mapping[str, Any]) -> bool:
    """Whether an `identify` has traits that Customer.io reads as identifiers of the person."""
    return call["type"] == "identify" and any(name in call.get("traits", ()) for name in RESERVED_TRAITS)


def _refuse(reason: str, detail: str) -> NoReturn:
    raise Rejected(Stage.VALIDATE, reason, detail)
