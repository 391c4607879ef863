"""A Python mapper for devices, where mapping rules are not enough."""

from __future__ import annotations

from worker import Call, Event, Reject, create_or_update_device, delete_device

PLATFORMS = {"ios": "ios", "ipados": "ios", "android": "android"}


def device_changed(event: Event) -> Call | None:
    """Map a device that was registered, changed or removed.

    Returns:
        The call for the device; None for a simulator, which is ignored.

    Raises:
        Reject: the platform does not support push messages. The record is dead-lettered with this code.
    """
    device = event.value["device"]
    if device.get("simulator"):
        return None
    platform = PLATFORMS.get(device["os"].lower())
    if platform is None:
        raise Reject("UNKNOWN_PLATFORM")
    user_id, when = event.value["user_id"], event.value.get("occurred_at")
    message_id = event.value.get("event_id")
    if event.value["type"] == "device.removed":
        return delete_device(
            user_id=user_id,
            token=device["token"],
            device_type=platform,
            timestamp=when,
            message_id=message_id,
        )
    return create_or_update_device(
        user_id=user_id,
        token=device["token"],
        device_type=platform,
        properties={"app_version": device.get("app_version")},
        timestamp=when,
        message_id=message_id,
    )
