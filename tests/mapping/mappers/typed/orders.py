"""Mappers as a user writes them: the types are checked, and they run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from worker import Call, Event, Reject, create_or_update_device, delete_device, identify, track


def device_changed(event: Event) -> Call:
    """One call, or another."""
    device = event.value["device"]
    if event.value["type"] == "device.removed":
        return delete_device(user_id=event.value["user_id"], token=device["token"], device_type=device["os"])
    return create_or_update_device(
        user_id=event.value["user_id"], token=device["token"], device_type=device["os"]
    )


def customer_registered(event: Event) -> Iterator[Call]:
    """Several calls, or a rejection."""
    customer = event.value.get("customer")
    if customer is None:
        raise Reject("NO_CUSTOMER")
    at = datetime.fromtimestamp(event.value["at"], UTC)
    yield identify(user_id=customer["id"], traits={"email": customer["email"]}, timestamp=at)
    yield track("Signed Up", user_id=customer["id"], timestamp=at, message_id=event.value["id"])


def pinged(event: Event) -> dict[str, object] | None:
    """A plain dict, or nothing."""
    if event.headers.get("test"):
        return None
    return {"type": "track", "userId": event.key, "event": "Pinged"}
