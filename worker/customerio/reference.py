"""Names and values that have a special meaning at Customer.io, from its API reference."""

from __future__ import annotations

PERSON_IDS = ("userId", "anonymousId")
"""The fields that identify a person."""

ID_FIELDS = (*PERSON_IDS, "groupId", "previousId")
"""The fields that identify a person or an object (reference, Common fields)."""

SEMANTIC_EVENTS = {
    "delete_user": "User Deleted",
    "suppress_user": "User Suppressed",
    "unsuppress_user": "User Unsuppressed",
    "create_or_update_device": "Device Created or Updated",
    "delete_device": "Device Deleted",
    "delete_relationship": "Relationship Deleted",
    "delete_object": "Object Deleted",
    "report_delivery_event": "Report Delivery Event",
    "report_content_event": "Report Content Event",
}
"""Calls that are sent as a `track` with a reserved event name, and that name (reference, Semantic events)."""

RESERVED_PROPERTIES = ("recipient", "from_address", "reply_to")
"""Properties of an event that override the recipient, sender or reply address of the campaigns that it triggers (Track
API reference, `POST /api/v1/customers/{identifier}/events`, Reserved Properties)."""

DOCUMENTED_OVERRIDES = {"Product Shared": frozenset({"recipient"}), "Cart Shared": frozenset({"recipient"})}
"""Events whose documented properties have the name of a reserved one (reference, Ecommerce)."""

RESERVED_TRAITS = ("id", "cio_id")
"""Traits of a person that are identifiers at Customer.io (docs.customer.io, How to identify people)."""

APPLICATION_UNINSTALLED = "Application Uninstalled"
"""With `context.device.token` this event deletes the device (segmentio/action-destinations, `customerio/deleteDevice`,
`defaultSubscription`)."""

ALLOW_UNINSTALLED = "application_uninstalled"
"""The word in `allow` for an `Application Uninstalled` whose name is computed."""

DEVICE_TYPES = ("ios", "android")
"""The platforms of a device (reference, Device Created or Updated)."""


DELIVERY_METRICS = (
    "delivered",
    "opened",
    "clicked",
    "converted",
    "spammed",
    "bounced",
    "dropped",
    "deferred",
)
"""Outcomes of a message: four from the reference, and four more that Customer.io's Segment action accepts."""

CONTENT_ACTIONS = ("viewed_content", "clicked_content")
"""Interactions with content (newer reference, Report Content Event)."""

LOOK_ALIKES = {
    "delete person": "User Deleted",
    "person deleted": "User Deleted",
    "delete user": "User Deleted",
    "suppress person": "User Suppressed",
    "suppress user": "User Suppressed",
    "person suppressed": "User Suppressed",
    "unsuppress person": "User Unsuppressed",
    "unsuppress user": "User Unsuppressed",
    "person unsuppressed": "User Unsuppressed",
    "create device": "Device Created or Updated",
    "device created": "Device Created or Updated",
    "device updated": "Device Created or Updated",
    "create or update device": "Device Created or Updated",
    "delete device": "Device Deleted",
    "device removed": "Device Deleted",
    "delete relationship": "Relationship Deleted",
    "delete object": "Object Deleted",
    "group deleted": "Object Deleted",
    "delete group": "Object Deleted",
}
"""Likely mistakes for a reserved name, in lower case. The API accepts them as ordinary events without any effect."""

DESTRUCTIVE_CALLS = frozenset(
    {
        "delete_user",
        "suppress_user",
        "unsuppress_user",
        "delete_device",
        "delete_relationship",
        "delete_object",
        "alias",
    }
)
"""Calls that are sent only if a rule names them, or a mapper makes them and its rule allows them (docs/mapping.md,
Calls)."""
